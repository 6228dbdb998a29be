"""A bot that undoes the newest deployment when the project is not healthy, and tells what it does.

Usage: python rollback_bot.py [PROJECT]

It leaves a deployment alone that has not ended: what is not ready yet is not broken.
"""

import sys

import sbkube
from sbkube.errors import SbkubeError
from sbkube.models.outcome import Event


def looked(project: sbkube.Project) -> tuple[str, int]:
    """The id of the deployment that should be undone, or nothing; and 1 where the project is not healthy."""
    newest = next(iter(project.history(limit=1)), None)
    if newest and not newest.status.ended:
        print(f"{newest.deployment_id} has not ended: nothing is undone")
        return "", 0
    apps = [app for report in project.status().each for app in report.apps]
    sick = ", ".join(app.name for app in apps if not app.health.ready)
    undo = newest.deployment_id if sick and newest and newest.command != "rollback" else ""
    print(f"not healthy: {sick}; {f'undoing {undo}' if undo else 'nothing to undo'}" if sick else "healthy")
    return undo, int(bool(sick))


def told(event: Event) -> str:
    """An event in a line."""
    words = " ".join(filter(None, (event.kind, event.app, event.subject, event.status)))
    return f"{words}: {event.message}" if event.message else words


def main(folder: str = ".") -> int:
    """The exit code of the rollback; without one 0, or 1 when the project is not healthy."""
    try:
        with sbkube.open_project(folder) as project:
            newest, sick = looked(project)
            if newest:
                project.wait_for_lock(60)
                newest, sick = looked(project)  # whoever had the lock may have mended it
            if not newest:
                return sick
            for item in project.stream(lambda: project.rollback(newest)):
                if isinstance(item, Event):
                    print(told(item))
                else:
                    print(f"{item.record.deployment.deployment_id}: {item.record.deployment.status}")
                    return item.exit_code
    except SbkubeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
