"""What is known of a run, from its plan and its events: for whoever shows it while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sbkube.models.command import Command
from sbkube.models.outcome import Event
from sbkube.models.plan import Operation, Plan, Verb


def subject_of(operation: str) -> str:
    """`Deployment/web` from an operation id `APP/VERB/KIND/NAMESPACE/NAME`, where APP may hold a `/`."""
    parts = operation.split("/")
    return f"{parts[-3]}/{parts[-1]}" if len(parts) >= 5 else operation


def title_of(operation: Operation) -> str:
    """What an operation does, in words for people; nothing for a wait, which tells by itself what it waits for."""
    if operation.verb is Verb.WAIT:
        return ""
    if operation.verb is Verb.RUN:
        return Command.from_json(operation.desired or {}).title
    if operation.verb.helm and operation.release is not None:
        return f"{operation.verb.value.replace('_', ' ')} {operation.release.name}"
    return f"{operation.key.kind}/{operation.key.name}" if operation.key else subject_of(operation.id)


@dataclass(slots=True)
class AppLine:
    """What is known of one app of the run. `doing` are operations under way, `waits` objects that are not ready
    yet, each with the reason; `after` are apps that come before it. `done` of `total` operations have ended."""

    name: str
    started: datetime | None = None
    ended: datetime | None = None
    status: str = ""
    message: str = ""
    doing: tuple[str, ...] = ()
    waits: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    done: int = 0
    total: int = 0


class Board:
    """All apps of the run; safe for use from several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._apps: dict[str, AppLine] = {}
        self._titles: dict[str, str] = {}
        self.began: datetime | None = None  # while a deployment runs
        self.looked_at = (0, 0)  # apps compared with the cluster, of how many

    def expect(self, plan: Plan) -> None:
        """What is to come, for apps that have not begun."""
        with self._guard:
            self._apps = {
                app.name: AppLine(
                    app.name, after=app.depends_on, total=sum(op.verb.writes for op in app.operations)
                )
                for app in plan.apps
            }
            self._titles = {op.id: title_of(op) for op in plan.operations}

    def take(self, event: Event) -> AppLine | None:
        """Enter an event; gives the app's line back where it changed."""
        with self._guard:
            if event.kind == "app.compared":
                self.looked_at = (self.looked_at[0] + 1, int(event.data.get("of", 0)))
            elif event.kind == "deployment.started":
                self.began, self.looked_at = event.time, (0, 0)
                if any(line.started or line.ended for line in self._apps.values()):
                    self._apps = {}  # those of the run before, which this one undoes perhaps
            elif event.kind == "deployment.ended":
                self.began = None
            elif event.app:
                line = self._apps.setdefault(event.app, AppLine(event.app))
                return line if self._entered(line, event) else None
        return None

    def _entered(self, line: AppLine, event: Event) -> bool:
        match event.kind:
            case "app.started":
                line.started = event.time
            case "operation.started":
                if title := self._titles.get(event.subject, subject_of(event.subject)):
                    line.doing = (*line.doing, title)
            case "operation.ended":
                title = self._titles.get(event.subject, subject_of(event.subject))
                left = list(line.doing)
                if title in left:
                    left.remove(title)
                    line.done += event.status == "applied"
                line.doing, line.waits = tuple(left), {}
            case "wait.progress":
                told = {str(name): str(why) for name, why in event.data.items()}
                line.waits = told or {event.subject: event.message}
            case "app.ended":
                line.ended, line.status, line.message = event.time, event.status, event.message
                line.doing, line.waits = (), {}
            case _:
                return False
        return True

    def lines(self) -> list[AppLine]:
        """All apps as they are now, in the order of the plan."""
        with self._guard:
            return [replace(line) for line in self._apps.values()]
