"""Everything that can go wrong, as one small tree.

    SbkubeError
    ├── UsageError              2   the command line makes no sense
    ├── ProjectError            3   the project file or what it names is wrong; nothing was touched
    │   ├── ConfigError             the file itself, with every problem and its place
    │   ├── RenderError             a chart or manifest cannot be rendered
    │   └── PlanRefused             the plan must not be executed as it is
    │       ├── PlanOvertaken           somebody has deployed since it was made
    │       └── FieldConflict       another field manager owns what we want to set
    ├── SurroundingsError       4   something outside is missing; nothing was touched
    │   ├── ClusterUnreachable
    │   ├── ClusterForbidden
    │   ├── SourceUnavailable
    │   └── ToolMissing
    ├── StateError              5   the state database refuses; nothing was touched
    │   ├── StateLocked             somebody else holds the lock
    │   ├── StateBehind             another database has deployed meanwhile
    │   ├── StateSchemaError        newer or not yet upgraded
    │   ├── StateNotWritable
    │   └── DeploymentNotFound
    ├── ClusterError            1   the API server said no to one request
    ├── HelmError               1   a Helm action failed
    ├── LockLost                1   our lock expired or was taken while we worked
    ├── OperationFailed         1   what was recorded as failed
    ├── RecordLost              6   the cluster was changed but could not be recorded
    └── Interrupted           130   Ctrl-C

Each class has a stable `slug` for machines and an `exit_code`. Each error says what it is about (`subject`) and
the way out (`hint`). The command line turns errors into exit codes in one place; after the first write to a
cluster the engine turns classes 2–5 into recorded failures, because those codes promise that nothing was touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: `line` and `column` count from 1; 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a project: what, where, and the way out."""

    message: str
    place: Place | None = None
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class SbkubeError(Exception):
    """Root of the tree. `message` is one line; `subject` names app, object or file; `hint` says what to do."""

    slug = "error"
    exit_code = 1

    def __init__(
        self, message: str, *, subject: str | None = None, hint: str | None = None, place: Place | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        head = f"{self.place}: " if self.place else f"{self.subject}: " if self.subject else ""
        return head + self.message


class UsageError(SbkubeError):
    """The command line makes no sense."""

    slug = "usage"
    exit_code = 2


class ProjectError(SbkubeError):
    """The project file, or something it names, is wrong. Nothing was touched."""

    slug = "project-invalid"
    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        subject: str | None = None,
        hint: str | None = None,
        place: Place | None = None,
    ) -> None:
        super().__init__(message, subject=subject, hint=hint, place=place)
        self.problems = tuple(problems)


class ConfigError(ProjectError):
    """The project file is wrong; `problems` has every one of them with its place."""

    slug = "config-invalid"


class RenderError(ProjectError):
    """A chart or a manifest cannot be rendered."""

    slug = "render-failed"


class PlanRefused(ProjectError):
    """The plan must not be executed as it is: consent, `--force` or a new plan is needed."""

    slug = "plan-refused"


class PlanOvertaken(PlanRefused):
    """Somebody has deployed since the plan was made; a new plan may go ahead."""

    slug = "plan-overtaken"


class FieldConflict(PlanRefused):
    """Another field manager owns fields that the project wants to set."""

    slug = "field-conflict"


class SurroundingsError(SbkubeError):
    """Something outside of the project is missing. Nothing was touched."""

    slug = "surroundings"
    exit_code = 4


class ClusterUnreachable(SurroundingsError):
    """No connection to the API server, or none that can be trusted."""

    slug = "cluster-unreachable"


class ClusterForbidden(SurroundingsError):
    """The API server knows us (or not) and does not let us."""

    slug = "cluster-forbidden"


class SourceUnavailable(SurroundingsError):
    """A chart, repository or file cannot be fetched."""

    slug = "source-unavailable"


class ToolMissing(SurroundingsError):
    """A program or library that this needs is not installed."""

    slug = "tool-missing"


class StateError(SbkubeError):
    """The state database refuses. Nothing was touched."""

    slug = "state"
    exit_code = 5


class StateLocked(StateError):
    """Somebody else is deploying this project to this cluster."""

    slug = "state-locked"


class StateBehind(StateError):
    """Somebody has deployed with another database, and this one does not know what."""

    slug = "state-behind"


class StateSchemaError(StateError):
    """The database is newer than this sbkube, or wants `sbkube state upgrade`."""

    slug = "state-schema"


class StateNotWritable(StateError):
    """The database cannot be opened, read or written."""

    slug = "state-not-writable"


class DeploymentNotFound(StateError):
    """No deployment has this id, or several do."""

    slug = "deployment-not-found"


class ClusterError(SbkubeError):
    """The API server refused one request; `code` and `reason` are the server's."""

    slug = "cluster-refused"

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        reason: str = "",
        causes: Sequence[tuple[str, str]] = (),
        subject: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Carry the server's answer; `causes` are (field, message) pairs of its `Status`."""
        super().__init__(message, subject=subject, hint=hint)
        self.code = code
        self.reason = reason
        self.causes = tuple(causes)

    @property
    def not_found(self) -> bool:
        """The object, its namespace or its kind does not exist."""
        return self.code == 404

    @property
    def conflict(self) -> bool:
        """409: another manager's fields, another resource version, or it already exists."""
        return self.code == 409

    @property
    def immutable(self) -> bool:
        """422 because a field must not change after creation; servers say so in several ways."""
        return self.code == 422 and any(words in message for _, message in self.causes for words in _FIXED)


_FIXED = (
    "immutable",  # apimachinery, "field is immutable"
    "may not change once set",  # Service
    "cannot change roleRef",  # bindings
    "may not change fields other than",  # Pod
    "for fields other than",  # StatefulSet
    "updates to parameters are forbidden",  # StorageClass
    "updates to provisioner are forbidden",
)


class HelmError(SbkubeError):
    """A Helm action failed; the message is Helm's own."""

    slug = "helm-failed"


class CommandFailed(SbkubeError):
    """A command of the project failed; `output` is the end of what it said."""

    slug = "command-failed"

    def __init__(self, message: str, *, output: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


class LockLost(SbkubeError):
    """Our lock expired or was taken over while we worked; nothing new was started after that."""

    slug = "lock-lost"


class OperationFailed(SbkubeError):
    """A deployment ran and something in it failed; the record says what."""

    slug = "operation-failed"


class RecordLost(SbkubeError):
    """The cluster was changed and the state database could not take it; `outcomes` are what it may not have."""

    slug = "record-lost"
    exit_code = 6

    def __init__(
        self, message: str, *, outcomes: Sequence[object] = (), deployment: str = "", hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.outcomes = tuple(outcomes)
        self.deployment = deployment


class Interrupted(SbkubeError):
    """Stopped by Ctrl-C or SIGTERM after what was in flight had been recorded."""

    slug = "interrupted"
    exit_code = 130
