"""A plan of undoing while it is being made: what is put back, what is taken away, and what stands in the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sbkube.config.model import ProjectConfig
from sbkube.engine.compare import Live
from sbkube.engine.emptied import NAMESPACES
from sbkube.engine.prepare import PASSIVE
from sbkube.engine.prune import Removal
from sbkube.engine.repair import Repairs
from sbkube.engine.surroundings import ReleaseIndex, Surroundings
from sbkube.engine.turns import in_turn
from sbkube.engine.undo import Undo
from sbkube.errors import Problem
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import AppPlan, Change, Effect, Operation
from sbkube.models.resource import ResourceKey
from sbkube.models.selection import named
from sbkube.plan import order
from sbkube.plan.operations import Step, assemble, assemble_deletion, link_apps, link_foundations

_FIRST = -1  # a wave before everything else
Operations = dict[str, tuple[Operation, ...]]


class Draft:
    """Collects changes and steps per app; `apps` puts them in order.

    What is put back goes in the order of an apply, dependencies first. What is taken away comes after it, the
    other way round. Namespaces go last of all.
    """

    def __init__(self, config: ProjectConfig, world: Surroundings, target: LockTarget, undo: Undo) -> None:
        self.config = config
        self.world = world
        self.target = target
        self.undo = undo
        self.recorded = world.ledger.inventory(target)
        self.live = Live(world)
        self.index = ReleaseIndex(world.helm)
        self.warnings: list[str] = []
        self.problems: list[Problem] = []
        self.repairs = Repairs(world, target)
        timeout = config.settings.timeout
        self.removal = Removal(self.live, config.name, timeout, self.warnings, self.repairs, consent=undo.consent)
        self._changes: dict[str, list[Change]] = defaultdict(list)
        self._back: dict[str, list[Step]] = defaultdict(list)
        self._away: dict[str, list[Step]] = defaultdict(list)
        self._releases: dict[str, str] = {}

    def wants(self, app: str) -> bool:
        """The app takes part."""
        return named(self.undo.apps, app) if self.undo.apps or self.undo.scope != "all" else True

    def problem(self, message: str, hint: str) -> None:
        """Something that a person must decide first."""
        self.problems.append(Problem(message, None, hint))

    def show(self, app: str, *changes: Change) -> None:
        """Objects that the plan is about."""
        self._changes[app].extend(changes)

    def put_back(self, app: str, step: Step) -> None:
        """A step that restores something."""
        self._back[app].append(step)

    def take_away(self, app: str, step: Step) -> None:
        """A step that removes something."""
        self._away[app].append(step)

    def release(self, app: str, name: str) -> None:
        """The app is one of Helm; `name` is `NAMESPACE/NAME`."""
        self._releases[app] = name

    def puts_into(self, namespace: str) -> bool:
        """The plan so far creates or changes something in a namespace."""
        made = (
            c for changes in self._changes.values() for c in changes if c.effect in (Effect.CREATE, Effect.CHANGE)
        )
        return any(change.key.namespace == namespace for change in made)

    def is_deleted(self, key: ResourceKey) -> bool:
        """The plan so far deletes the object."""
        return any(_deletes(change, key) for changes in self._changes.values() for change in changes)

    def hoist(self, key: ResourceKey) -> None:
        """What takes the object away in this plan comes first, because the object is put back afterwards."""
        for app, steps in self._away.items():
            taking = [s for s in steps if any(_deletes(change, key) for change in s.operation.changes)]
            releases = {_release(step) for step in taking} - {""}
            early = [s for s in steps if s in taking or _release(s) in releases]  # a release with all its steps
            self._away[app] = [step for step in steps if step not in early]
            self._back[app].extend(replace(step, wave=_FIRST) for step in early)

    def loose(self) -> list[AppPlan]:
        """The apps without order between them: enough to know what will be gone."""
        operations = {name: self._put_back(name) + self._taken_away(name) for name in self._names()}
        return [self._app(name, own) for name, own in operations.items()]

    def apps(self) -> list[AppPlan]:
        """The apps with their operations in order.

        Undoing goes on where it can: another app is waited for, but what fails there stops nothing here.
        """
        names = self._names()
        depends = {name: self._depends(name) for name in names}
        linked = link_apps({n: self._put_back(n) for n in names}, depends, in_turn(self.config, names))
        softened = {name: _grounds_first(tuple(map(_softened, own))) for name, own in linked.items()}
        back = link_foundations(softened)
        away = self._reversed(names, depends, back)
        return [self._app(name, back[name] + away[name]) for name in names]

    def _names(self) -> list[str]:
        found = list(dict.fromkeys([*self._changes, *self._back, *self._away]))
        own = [name for name in self.config.apps if name in found]
        others = [name for name in found if name not in own]
        return order.app_order({name: self._depends(name) for name in (*own, *others)})

    def _depends(self, name: str) -> tuple[str, ...]:
        spec = self.config.apps.get(name)
        return tuple(spec.depends_on) if spec else ()

    def _put_back(self, name: str) -> tuple[Operation, ...]:
        steps = self._back[name]
        own = {step.operation.key for step in steps}
        awaits = [
            c.key
            for c in self._changes[name]
            if c.key in own and c.effect is not Effect.UNCHANGED and c.key.kind not in PASSIVE
        ]
        return assemble(name, steps, awaits, self.config.settings.timeout)

    def _taken_away(self, name: str) -> tuple[Operation, ...]:
        return assemble_deletion(name, self._away[name], self.config.settings.timeout)

    def _reversed(self, names: list[str], depends: Mapping[str, tuple[str, ...]], back: Operations) -> Operations:
        """Deletions: dependents first, each app's after what is put back of it, namespaces after everything."""
        needs: dict[str, list[str]] = {name: [] for name in reversed(names)}
        for name in names:
            for dependency in depends[name]:
                if dependency in needs:
                    needs[dependency].append(name)
        linked = link_apps({name: self._taken_away(name) for name in needs}, needs)
        away = {name: _behind(map(_softened, own), _writes(back[name])) for name, own in linked.items()}
        if away.get(NAMESPACES):
            every = tuple(
                i for part in (back, away) for n, own in part.items() if n != NAMESPACES for i in _writes(own)
            )
            away[NAMESPACES] = _behind(away[NAMESPACES], every)
        return away

    def _app(self, name: str, operations: tuple[Operation, ...]) -> AppPlan:
        spec = self.config.apps.get(name)
        return AppPlan(
            name=name,
            type=spec.type if spec else "removed",
            namespace=(spec.namespace if spec else "") or self.config.settings.namespace,
            depends_on=self._depends(name),
            changes=tuple(self._changes[name]),
            operations=operations,
            spec=spec.snapshot() if spec else {},
            release=self._releases.get(name, ""),
        )


def _deletes(change: Change, key: ResourceKey) -> bool:
    return change.effect is Effect.DELETE and change.key.identity == key.identity


def _release(step: Step) -> str:
    spec = step.operation.release
    return f"{spec.namespace}/{spec.name}" if spec else ""


def _softened(op: Operation) -> Operation:
    """What it needs of other apps need only have ended."""
    own = tuple(name for name in op.needs if name.startswith(f"{op.app}/"))
    others = tuple(name for name in op.needs if name not in own)
    return replace(op, needs=own, after=tuple(dict.fromkeys((*others, *op.after))))


def _grounds_first(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """New namespaces wait for no other app, since any of them may need one; what follows them waits instead."""
    created = {op.id for op in operations if op.key is not None and op.key.kind == "Namespace" and not op.uid}
    later = tuple(dict.fromkeys(name for op in operations if op.id in created for name in op.after))
    return tuple(
        replace(op, after=())
        if op.id in created
        else replace(op, after=(*op.after, *later))
        if op.needs and created.issuperset(op.needs)
        else op
        for op in operations
    )


def _behind(operations: Iterable[Operation], first: tuple[str, ...]) -> tuple[Operation, ...]:
    """Those that need nothing of their own app yet need what was put back: written, though perhaps not ready."""
    return tuple(op if op.needs else replace(op, needs=first) for op in operations)


def _writes(operations: Iterable[Operation]) -> tuple[str, ...]:
    return tuple(op.id for op in operations if op.verb.writes)
