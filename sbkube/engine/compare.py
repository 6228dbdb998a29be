"""Second half of planning: look at live objects and ask the server what an apply would make of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbkube.engine.desired import Desired
from sbkube.engine.surroundings import Surroundings, at_once
from sbkube.errors import ClusterError, ClusterForbidden, Problem, SurroundingsError
from sbkube.models.plan import Change, Effect, FieldChange
from sbkube.models.resource import ResourceKey
from sbkube.plan import classify, diff
from sbkube.plan.labels import MANAGER
from sbkube.ports import Json, Recorded

_FEW = 3  # up to so many objects of a kind and namespace are fetched one by one, more by a list


class Live:
    """Live objects by identity, fetched with as few requests as the kinds and namespaces allow."""

    def __init__(self, world: Surroundings) -> None:
        self._cluster = world.cluster
        self._objects: dict[tuple[str, str, str, str], Json | None] = {}

    def observe(self, keys: Iterable[ResourceKey]) -> None:
        """Fetch what is not known yet."""
        groups: dict[tuple[str, str, str], list[ResourceKey]] = defaultdict(list)
        for key in keys:
            if key.identity not in self._objects:
                groups[key.api_version, key.kind, key.namespace].append(key)
        at_once(self._fetch, groups.values())

    def get(self, key: ResourceKey) -> Json | None:
        """The live object, or None. It must have been observed."""
        return self._objects[key.identity]

    def _fetch(self, keys: list[ResourceKey]) -> None:
        first = keys[0]
        kind = self._cluster.resource_type(first.api_version, first.kind)
        if kind is None:
            self._objects.update({key.identity: None for key in keys})
            return
        if len(keys) > _FEW:
            try:
                listed = self._cluster.list(kind, first.namespace)
            except ClusterForbidden:
                pass  # listing may be forbidden where getting is not
            else:
                by_name = {item["metadata"]["name"]: item for item in listed}
                self._objects.update({key.identity: by_name.get(key.name) for key in keys})
                return
        for key in keys:
            self._objects[key.identity] = self._cluster.get(key)


@dataclass(frozen=True, slots=True)
class Compared:
    """A change, the body to send for it, and whether sending it needs force."""

    change: Change
    body: Mapping[str, Any]
    force: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """How to compare: as which manager, whether to take fields of others, and which namespaces are yet to be.

    `same_release`: Helm has deployed exactly this manifest.
    """

    new_namespaces: frozenset[str] = frozenset()
    manager: str = MANAGER
    force: bool = False
    same_release: bool = False


class Comparer:
    """Compares desired with live objects."""

    def __init__(self, world: Surroundings, live: Live, recorded: Mapping[ResourceKey, Recorded]) -> None:
        self._world = world
        self._live = live
        self._recorded = {key.identity: value for key, value in recorded.items()}

    def compare_all(self, wanted: Sequence[Desired], terms: Terms) -> list[Compared]:
        """Compare many objects at once, in the order given."""
        self._live.observe(w.key for w in wanted)
        return at_once(lambda w: self._compare(w, terms), wanted)

    def _compare(self, wanted: Desired, terms: Terms) -> Compared:
        live = self._live.get(wanted.key)
        note = wanted.simulated
        if wanted.key.namespace in terms.new_namespaces:
            note = note or "its namespace is created by this plan"
        if live is None and note:
            change = self._change(wanted, Effect.CREATE, None, wanted.body, (), f"new (simulated): {note}")
            return Compared(change, wanted.body)
        if live is not None and self._untouched(wanted, live, terms):
            return Compared(self._change(wanted, Effect.UNCHANGED, live, live), wanted.body)
        return self._dry_run(wanted, live, terms)

    def _untouched(self, wanted: Desired, live: Json, terms: Terms) -> bool:
        """Same intent as recorded, and the live object is as it was right after: nothing to ask the server."""
        known = self._recorded.get(wanted.key.identity)
        if known is None or known.uid != live["metadata"].get("uid"):
            return False
        fingerprint = self._world.ledger.fingerprint
        same = terms.same_release if terms.manager != MANAGER else known.intent == fingerprint(wanted.body)
        if not same:
            return False
        return known.resource_version == live["metadata"].get("resourceVersion") or known.image == fingerprint(
            live
        )

    def _dry_run(self, wanted: Desired, live: Json | None, terms: Terms) -> Compared:
        try:
            after = self._world.cluster.dry_run_apply(wanted.body, manager=terms.manager, force=True)
        except (ClusterError, ClusterForbidden) as error:
            return self._refused(wanted, live, error)
        if live is None:
            return Compared(self._change(wanted, Effect.CREATE, None, after, ()), wanted.body)
        recorded = wanted.key.identity in self._recorded
        verdict = classify.classify(
            diff.compare(live, after), recorded=recorded, force=terms.force, manager=terms.manager
        )
        body = classify.without(wanted.body, [f.path for f in verdict.left]) if verdict.left else wanted.body
        note = "; ".join(f"{f.path} is left to {f.manager}" for f in verdict.left)
        problems = tuple(self._conflict(wanted, f) for f in verdict.conflicts)
        effect = Effect.CHANGE if verdict.fields or verdict.conflicts else Effect.UNCHANGED
        fields = verdict.fields + verdict.conflicts
        return Compared(self._change(wanted, effect, live, after, fields, note), body, verdict.force, problems)

    def _refused(self, wanted: Desired, live: Json | None, error: ClusterError | SurroundingsError) -> Compared:
        """The server would not even pretend: wrong for good (400, 422), or unknown (rights, webhooks)."""
        if isinstance(error, ClusterError) and error.code in {400, 404, 409, 422} and not _webhook(error):
            hint = "the field cannot be changed: delete the object first" if error.immutable else error.hint
            problem = Problem(f"{wanted.app}: {wanted.key}: {error.message}", wanted.source, hint)
            return Compared(self._change(wanted, Effect.UNKNOWN, live, None), wanted.body, problems=(problem,))
        note = f"unknown: {error.message}"
        return Compared(self._change(wanted, Effect.UNKNOWN, live, wanted.body, (), note), wanted.body)

    @staticmethod
    def _conflict(wanted: Desired, field: FieldChange) -> Problem:
        since = f" since {field.time}" if field.time else ""
        return Problem(
            f"{wanted.app}: {wanted.key}: {field.path} belongs to field manager {field.manager!r}{since}",
            wanted.source,
            "leave the field out, or take it over with force_conflicts: true",
        )

    @staticmethod
    def _change(
        wanted: Desired,
        effect: Effect,
        before: Json | None,
        after: Mapping[str, Any] | None,
        fields: tuple[FieldChange, ...] = (),
        note: str = "",
    ) -> Change:
        return Change(wanted.key, effect, before, after, fields, note, wanted.source)


def _webhook(error: ClusterError) -> bool:
    """An admission webhook that does not support dry runs; the server says so in these words."""
    return "does not support dry run" in error.message
