"""A gate for CI: fails when a plan would delete or recreate anything. Reads only.

Usage: python gate.py [PROJECT]
"""

import sys

import sbkube
from sbkube.errors import SbkubeError

GOING = ("delete", "recreate")


def main(folder: str = ".") -> int:
    """0 when nothing goes, 1 when something does, and sbkube's exit code when there is no plan."""
    try:
        with sbkube.open_project(folder) as project:
            plan = project.masked(project.plan())
    except SbkubeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    gone = [change for app in plan.apps for change in app.changes if change.effect in GOING]
    for change in gone:
        print(f"would {change.effect}: {change.key}")
    print(", ".join(f"{count} {effect}" for effect, count in plan.counts().items() if count) or "nothing to do")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
