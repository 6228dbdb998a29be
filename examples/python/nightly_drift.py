"""A nightly report: what others changed since the last deployment, as Markdown. Reads only.

Usage: python nightly_drift.py [PROJECT]   (exits 10 when there is drift)
"""

import sys

import sbkube
from sbkube.errors import SbkubeError
from sbkube.models.drift import DriftReport


def main(folder: str = ".") -> int:
    """Print the report; secret values are masked."""
    try:
        with sbkube.open_project(folder) as project:
            whole = project.drift()
    except SbkubeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for report in whole.each:
        tell(report)
    return 10 if whole.drifted else 0


def tell(report: DriftReport) -> None:
    """One project; there are several where others are part of it."""
    print(f"# Drift of {report.project} on {report.cluster.name}\n")
    for app in report.apps:
        for item in app.objects:
            print(f"- **{app.name}** {item.key}: {item.state}")
            for field in item.fields:
                print(f"  - `{field.path}`: {field.before} → {field.after}, by {field.manager or 'somebody'}")
        for release in app.releases:
            print(f"- **{app.name}** release {release.name}: {', '.join(release.notes)}")
    print("" if report.drifted else "Nothing was changed.\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
