"""What a deployment runs, asks or waits for besides objects and releases: commands, HTTP requests, conditions.

A command travels through plans and records as the `desired` body of an operation, so that what was meant to run is
kept before it runs. Nothing is ever run out of a record: the project on disk must hold the same command.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sbkube.models.resource import ResourceKey

GROUP, KIND = "sbkube.dev", "Command"  # under which commands are recorded beside objects
_LISTS = ("expected", "undo", "undo_manifests")
_PLACES = ("folder",)  # what may differ between two checkouts of one project


class CommandKind(StrEnum):
    """How a command acts."""

    SHELL = "shell"  # `text` is given to the shell
    HTTP = "http"  # `text` is a URL
    WAIT = "wait"  # `text` is KIND/NAME of an object, waited for until it has `condition`
    MARK = "mark"  # nothing is done: it is recorded for what undoes the step before it


class OnFailure(StrEnum):
    """What a command that fails means."""

    FAIL = "fail"  # its app fails
    WARN = "warn"  # a warning that is recorded
    IGNORE = "ignore"  # nothing


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `timeout` and `delay` (between attempts) are in seconds; `folder` is where it runs.

    `hook` says what it belongs to (`pre_deploy`, `task`, `exec` …). `expected` is what a shell's output must hold,
    or the status codes that an HTTP answer may have. `env` comes on top of the environment. `condition` is that of
    an object: `ready`, `deleted`, or the type of a condition. What undoes it: `undo` are shell commands,
    `undo_manifests` are files that are applied.
    """

    name: str
    kind: CommandKind
    text: str = field(repr=False)
    hook: str = ""
    folder: str = ""
    timeout: float = 600.0
    attempts: int = 1
    delay: float = 0.0
    on_failure: OnFailure = OnFailure.FAIL
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    expected: tuple[str, ...] = ()
    method: str = "GET"
    condition: str = ""
    selector: str = ""  # of labels, instead of a name
    namespace: str = ""
    undo: tuple[str, ...] = field(default=(), repr=False)
    undo_manifests: tuple[str, ...] = ()
    undo_when: str = "manual"  # always, manual or never

    @property
    def local(self) -> bool:
        """It runs a program on this machine."""
        return self.kind is CommandKind.SHELL

    @property
    def digest(self) -> str:
        """Names what would be done, wherever the project lies."""
        content = {name: value for name, value in self.to_json().items() if name not in _PLACES}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def title(self) -> str:
        """The command in one line, for people."""
        first, *rest = self.text.strip().splitlines() or [""]
        if self.kind is CommandKind.MARK:
            return f"note what undoes {self.text}"
        what = {CommandKind.HTTP: f"{self.method} ", CommandKind.WAIT: "wait for "}.get(self.kind, "")
        return f"{what}{first}{' …' if rest else ''}"

    def key(self, namespace: str) -> ResourceKey:
        """What it is recorded as."""
        return ResourceKey(GROUP, "v1", KIND, namespace, self.name)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        return asdict(self) | {"env": dict(self.env), **lists}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Command:
        """Inverse of `to_json`."""
        given = {
            **data,
            "kind": CommandKind(data["kind"]),
            "on_failure": OnFailure(data["on_failure"]),
            **{name: tuple(data.get(name, ())) for name in _LISTS},
        }
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one attempt: exit code or HTTP status, and the end of what it said."""

    code: int
    output: str = field(default="", repr=False)
    error: str = ""  # why it counts as failed, "" if it did what it should
