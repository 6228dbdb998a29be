"""A plan: the decision what to do, as a value that can be printed, stored, compared and executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sbkube.errors import Place
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey

HOOKS_BEFORE, HOOKS_AFTER = "(hooks before)", "(hooks after)"  # hooks of a project or phase, which are no apps


class Verb(StrEnum):
    """What an operation does. The executor has one function for each."""

    APPLY = "apply"  # server-side apply of `desired`: creates or updates
    CREATE = "create"  # plain create: puts back what was deleted
    DELETE = "delete"
    RECREATE = "recreate"  # delete, wait until gone, create
    MIGRATE = "migrate"  # make what client-side tools own on an object ours, changing none of its fields
    GIVE_BACK = "give_back"  # the opposite: what we took over goes to those who had it, we own nothing any more
    HANDOVER = "handover"  # give an object of ours to a release: Helm's marks and our fields, nothing else
    CLEAR = "clear"  # delete an object of a release that cannot be changed: Helm then creates it anew
    FORGET = "forget"  # note that an object is gone; asks the cluster, changes nothing in it
    LABEL = "label"  # merge our labels and annotations onto an object that Helm owns
    HELM_INSTALL = "helm_install"
    HELM_UPGRADE = "helm_upgrade"
    HELM_ROLLBACK = "helm_rollback"
    HELM_UNINSTALL = "helm_uninstall"
    HELM_ADOPT = "helm_adopt"  # make a release ours: our labels on Helm's record of it, nothing else
    HELM_GIVE_BACK = "helm_give_back"  # the opposite: no record of the release has our labels any more
    HELM_REPAIR = "helm_repair"  # mark the revision of an action that was cut off as failed
    HOOK = "hook"  # run one hook that a Helm action, cut off, had not finished
    PATCH = "patch"  # server-side apply of some fields of an object that is not ours
    RUN = "run"  # run a command of the project; `desired` is the command
    WAIT = "wait"  # until every key of `awaits` is ready; changes nothing

    @property
    def writes(self) -> bool:
        """It changes the cluster or what is recorded of it, so it needs a committed intent."""
        return self is not Verb.WAIT

    @property
    def takes_away(self) -> bool:
        """Something is gone afterwards."""
        return self in (Verb.DELETE, Verb.HELM_UNINSTALL)

    @property
    def helm(self) -> bool:
        """It acts on a release."""
        return self.value.startswith("helm_")


# Verbs of the rows of objects of a release: what a Helm action left of them, and that they are not ours any more.
HELM = "helm"
GIVEN_BACK = "helm_given_back"

# What these touch is Helm's, or gone, or no object at all: nothing of ours that could be deleted or put back.
BESIDE = frozenset(
    {HELM, GIVEN_BACK, *(v.value for v in (Verb.LABEL, Verb.CLEAR, Verb.FORGET, Verb.HOOK, Verb.RUN))}
)


class Effect(StrEnum):
    """What a plan means for one object, in the words of the summary line."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    RECREATE = "recreate"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a field differs: we want another value, somebody changed ours, or somebody else owns it."""

    OURS = "ours"
    DRIFT = "drift"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that will change; `path` is like `spec.template.spec.containers[name=web].image`.

    `before`/`after` are None where the field is absent. `manager`, `operation` (Apply or Update) and `time`
    (RFC 3339) name who set it last, for drift and conflicts.
    """

    path: str
    before: Any
    after: Any
    cause: Cause = Cause.OURS
    manager: str = ""
    time: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object. `before`/`after` are live and dry-run images (None: absent).

    `note` says what a person must know: *new (simulated)*, why it is unknown, what was left to its owner.
    """

    key: ResourceKey
    effect: Effect
    before: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    after: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    fields: tuple[FieldChange, ...] = field(default=(), repr=False)
    note: str = ""
    source: Place | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a plan.

    `id` is stable: `APP/VERB/KIND/NAMESPACE/NAME`. `needs` must have succeeded before; `after` must only have
    ended. One `on_failure` is done only if something that it comes after has failed. `uid` and
    `resource_version` are those of the live object that was planned against. `changes` are the objects of a
    release for Helm verbs, else the one object. `timeout` is in seconds.
    """

    id: str
    app: str
    verb: Verb
    key: ResourceKey | None = None
    desired: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    changes: tuple[Change, ...] = ()
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    uid: str = ""
    resource_version: str = ""
    force: bool = False
    release: ReleaseSpec | None = field(default=None, repr=False)
    revision: int = 0  # Helm: revision before this operation (0: no release)
    target_revision: int = 0  # Helm rollback: revision to go back to
    awaits: tuple[ResourceKey, ...] = ()
    timeout: float = 600.0
    source: Place | None = None
    sensitive: bool = False
    on_failure: bool = False


@dataclass(frozen=True, slots=True)
class AppPlan:
    """One app of a plan: what it is, what it came from, what it depends on, and what happens to its objects.

    `spec` is the app's configuration as recorded (redacted). `sources` maps a source's name to its digest.
    `changes` lists every object, unchanged ones included. `release` is `NAMESPACE/NAME` for Helm apps.
    `on_failure` is its phase's ("": the plan's).
    """

    name: str
    type: str
    namespace: str
    depends_on: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    operations: tuple[Operation, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    release: str = ""
    notes: str = ""
    on_failure: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a command will do, in order; made without writing anything.

    `purpose` is `apply`, `delete`, `rollback` …; `parent` is the public id of the deployment that a rollback or
    resume refers to. `warnings` are for people.
    """

    project: str
    namespace: str
    purpose: str
    cluster: str
    cluster_uid: str
    apps: tuple[AppPlan, ...] = ()
    parent: str = ""
    warnings: tuple[str, ...] = ()
    on_failure: str = "stop"
    max_workers: int = 4

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations of all apps."""
        return tuple(op for app in self.apps for op in app.operations)

    @property
    def writes(self) -> bool:
        """Something would change the cluster, or may do so: a command is run."""
        return any(op.verb.writes for op in self.operations)

    @property
    def pending(self) -> bool:
        """Something is not as it should be. Commands that are run each time do not count."""
        return any(op.verb.writes and op.verb is not Verb.RUN for op in self.operations)

    def counts(self) -> dict[str, int]:
        """Objects per effect, every effect present: the summary line."""
        totals = {effect.value: 0 for effect in Effect}
        for app in self.apps:
            for change in app.changes:
                totals[change.effect.value] += 1
        return totals
