"""A bot that undoes the newest deployment when the project is not healthy, and tells what it does.

Usage: python rollback_bot.py [PROJECT]
"""

import sys

import sbkube
from sbkube.errors import SbkubeError
from sbkube.models.outcome import Event


def main(folder: str = ".") -> int:
    """0 when all is well, else the exit code of the rollback."""
    try:
        with sbkube.open_project(folder) as project:
            apps = [app for report in project.status().each for app in report.apps]
            sick = [app.name for app in apps if not app.health.ready]
            newest = project.history(limit=1)
            if not sick or not newest or newest[0].command == "rollback":
                print(f"not healthy: {', '.join(sick)}; nothing to undo" if sick else "healthy")
                return 1 if sick else 0
            print(f"not healthy: {', '.join(sick)}; undoing {newest[0].deployment_id}")
            for item in project.stream(lambda: project.rollback(newest[0].deployment_id, wait_for_lock=60)):
                if isinstance(item, Event):
                    print(" ".join(filter(None, (item.kind, item.app, item.subject, item.status))))
                else:
                    print(f"{item.record.deployment.deployment_id}: {item.record.deployment.status}")
                    return item.exit_code
    except SbkubeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
