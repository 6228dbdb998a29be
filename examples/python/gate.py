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
            family = project.family()  # the project and those that are part of it
            plans = [member.project.masked(member.project.plan(member.apps)) for member in family]
    except SbkubeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    changes = [change for plan in plans for app in plan.apps for change in app.changes]
    gone = [change for change in changes if change.effect in GOING]
    for change in gone:
        print(f"would {change.effect}: {change.key}")
    for plan in plans:
        counts = ", ".join(f"{count} {effect}" for effect, count in plan.counts().items() if count)
        print(f"{plan.project}: {counts or 'nothing to do'}")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
