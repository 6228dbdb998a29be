"""Second half of planning: look at live objects and ask the server what an apply would make of them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sbkube.engine import trial
from sbkube.engine.desired import Desired
from sbkube.engine.surroundings import Surroundings, at_once
from sbkube.errors import ClusterError, ClusterForbidden, Problem
from sbkube.models.deployment_state import LockTarget, ResourceRecord
from sbkube.models.plan import Change, Effect, FieldChange
from sbkube.models.resource import ResourceKey
from sbkube.plan import answers, classify, definitions, diff, labels, migrate, recreate
from sbkube.plan.classify import Past, Verdict
from sbkube.plan.labels import HELM_MANAGER, MANAGER
from sbkube.ports import Json, Recorded

_NO_RELEASES = "type!=helm.sh/release.v1"  # Helm's records are large Secrets, and are rarely meant
_FEW_SECRETS = 16  # those of others are read only where it saves much
_FEW = 3  # up to so many objects of a kind and namespace are fetched one by one, more by a list


class Live:
    """Live objects by identity, fetched with as few requests as the kinds and namespaces allow."""

    def __init__(self, world: Surroundings) -> None:
        self._cluster = world.cluster
        self._objects: dict[tuple[str, str, str, str], Json | None] = {}
        self._hidden: dict[tuple[str, str, str, str], ClusterForbidden] = {}

    def observe(self, keys: Iterable[ResourceKey]) -> None:
        """Fetch what is not known yet. What may not be read is remembered as such."""
        groups: dict[tuple[str, str, str], list[ResourceKey]] = defaultdict(list)
        for key in keys:
            if key.identity not in self._objects and key.identity not in self._hidden:
                groups[key.api_version, key.kind, key.namespace].append(key)
        at_once(self._fetch, groups.values())

    def get(self, key: ResourceKey) -> Json | None:
        """The live object, or None. It must have been observed. Raises ClusterForbidden if it may not be read."""
        if key.identity in self._hidden:
            raise self._hidden[key.identity]
        return self._objects[key.identity]

    def hidden(self, key: ResourceKey) -> str:
        """Why the object may not be read, or an empty text."""
        error = self._hidden.get(key.identity)
        return error.message if error else ""

    def seen(self, key: ResourceKey) -> Json | None:
        """The live object as far as it may be read: None also stands for one that may not."""
        return None if key.identity in self._hidden else self._objects[key.identity]

    def absent(self, key: ResourceKey) -> bool:
        """It is known not to exist."""
        return key.identity not in self._hidden and self._objects[key.identity] is None

    def _fetch(self, keys: list[ResourceKey]) -> None:
        first = keys[0]
        kind = self._cluster.resource_type(first.api_version, first.kind)
        if kind is None:
            self._objects.update({key.identity: None for key in keys})
            return
        secret = (first.group, first.kind) == ("", "Secret")
        if len(keys) > (_FEW_SECRETS if secret else _FEW):
            with suppress(ClusterForbidden):  # listing may be forbidden where getting is not
                listed = self._cluster.list(kind, first.namespace, fields=_NO_RELEASES if secret else "")
                by_name = {item["metadata"]["name"]: item for item in listed}
                found = {key.identity: by_name.get(key.name) for key in keys}
                self._objects.update(found)
                keys = [key for key in keys if secret and found[key.identity] is None]
        for key in keys:
            try:
                self._objects[key.identity] = self._cluster.get(key)
            except ClusterForbidden as error:
                self._hidden[key.identity] = error


@dataclass(frozen=True, slots=True)
class Compared:
    """A change, the body to send for it, and whether sending it needs force.

    `predecessors` are managers whose fields go over to us first. `left` are fields that stay with their owners.
    """

    change: Change
    body: Mapping[str, Any]
    force: bool = False
    problems: tuple[Problem, ...] = ()
    predecessors: tuple[str, ...] = ()
    left: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """How to compare: as which manager, whether to take fields of others, and which namespaces are yet to be.

    `same_release`: Helm has deployed exactly this manifest. `steal`: also take objects of other projects.
    `partly`: some fields are set and nothing else, so nothing is taken over from the tools that made the object.
    `handed`: objects (by identity) that our own applies and Helm hand to each other; neither is then in the
    other's way. `values` are the Helm values that the objects were rendered with.
    """

    new_namespaces: frozenset[str] = frozenset()
    manager: str = MANAGER
    force: bool = False
    same_release: bool = False
    steal: bool = False
    partly: bool = False
    handed: frozenset[tuple[str, str, str, str]] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict)


class Comparer:
    """Compares desired with live objects, and with what the ledger says we left."""

    def __init__(
        self,
        world: Surroundings,
        live: Live,
        recorded: Mapping[ResourceKey, Recorded],
        target: LockTarget | None = None,
    ) -> None:
        """Without a `target` nothing can be told of what others changed since."""
        self._world = world
        self._live = live
        self._recorded = {key.identity: value for key, value in recorded.items()}
        self._keys = tuple(recorded)
        self._target = target
        self._images: Mapping[tuple[str, str, str, str], ResourceRecord] | None = None
        self._guard = threading.Lock()

    def compare_all(self, wanted: Sequence[Desired], terms: Terms) -> list[Compared]:
        """Compare many objects at once, in the order given."""
        self._live.observe(w.key for w in wanted)
        return at_once(lambda w: self._compare(w, terms), wanted)

    def _compare(self, wanted: Desired, terms: Terms) -> Compared:
        if why := self._live.hidden(wanted.key):
            return self._blind(wanted, terms, why)
        live = self._live.get(wanted.key)
        note = wanted.simulated
        if wanted.key.namespace in terms.new_namespaces:
            note = note or "its namespace is created by this plan"
        if live is None and note:
            return self._simulated(wanted, terms, note)
        if live is not None and self._untouched(wanted, live, terms):
            return Compared(_change(wanted, Effect.UNCHANGED, live, live), wanted.body)
        if live is not None and not terms.steal and (owner := _other_project(live, wanted)):
            problem = _problem(
                wanted,
                f"it belongs to project {owner}",
                f"remove it there first, or take it: sbkube adopt {wanted.key.kind}/{wanted.key.name} --force",
            )
            return Compared(_change(wanted, Effect.UNKNOWN, live, None), wanted.body, problems=(problem,))
        if live is not None and definitions.is_definition(live) and (problems := self._unsafe(wanted, live)):
            return Compared(_change(wanted, Effect.UNKNOWN, live, None), wanted.body, problems=problems)
        try:
            return self._dry_run(wanted, live, terms)
        except (ClusterError, ClusterForbidden) as error:
            return self._refused(wanted, live, error, terms)

    def _simulated(self, wanted: Desired, terms: Terms, note: str) -> Compared:
        """What cannot be tried in place is tried elsewhere, but for objects of kinds that are yet to be."""
        change = _change(wanted, Effect.CREATE, None, wanted.body, (), f"new (simulated): {note}")
        try:
            if not wanted.simulated:
                trial.check_elsewhere(self._world.cluster, wanted.body, terms.manager)
        except ClusterError as error:
            return self._refused(wanted, None, error, terms)
        return Compared(change, wanted.body)

    def _unsafe(self, wanted: Desired, live: Json) -> tuple[Problem, ...]:
        """What an upgrade of a CRD would break; nothing can break while there are no objects of its kind."""
        found = definitions.hazards(live, wanted.body)
        if not found or not self._has_objects(live):
            return ()
        return tuple(
            _problem(wanted, f"there are objects of this kind, and {why}", definitions.HINT) for why in found
        )

    def _has_objects(self, definition: Json) -> bool:
        spec = definition["spec"]
        served = next((v["name"] for v in spec.get("versions") or () if v.get("served")), None)
        kind = self._world.cluster.resource_type(f"{spec['group']}/{served}", spec["names"]["kind"])
        try:
            return kind is not None and bool(self._world.cluster.list(kind))
        except (ClusterError, ClusterForbidden):
            return True  # who may not look must assume that there are some

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

    def _blind(self, wanted: Desired, terms: Terms, why: str) -> Compared:
        """We may not look at it: whatever an apply would make of it, nobody can say what that changes."""
        note = f"unknown: it cannot be read: {why}"
        try:
            after = self._world.cluster.dry_run_apply(wanted.body, manager=terms.manager, force=terms.force)
        except ClusterForbidden:
            after = dict(wanted.body)
        except ClusterError as error:
            return self._refused(wanted, None, error, terms)
        change = _change(wanted, Effect.UNKNOWN, None, answers.settled(after, wanted.body), (), note)
        return Compared(change, wanted.body, force=terms.force)

    def _dry_run(self, wanted: Desired, live: Json | None, terms: Terms) -> Compared:
        if live is None:
            after = self._world.cluster.dry_run_apply(wanted.body, manager=terms.manager, force=True)
            change = _change(wanted, Effect.CREATE, None, answers.settled(after, wanted.body))
            return Compared(change, wanted.body)
        handed = wanted.key.identity in terms.handed
        taken = () if terms.partly else migrate.predecessors(live, terms.manager, handed=handed)
        body = wanted.body
        after, verdict = self._judge(wanted.key, body, live, terms, taken)
        left = verdict.left
        if left and terms.manager == MANAGER:  # what Helm sends is not ours to change
            body = diff.without(body, [f.path for f in left])
            after, verdict = self._judge(wanted.key, body, live, terms, taken)
        problems = tuple(_conflict(wanted, f) for f in verdict.conflicts)
        fields = verdict.fields + verdict.conflicts
        untracked = not live["metadata"].get("managedFields")
        note = _remarks(taken if fields else (), verdict, left, untracked=untracked and bool(fields))
        effect = Effect.CHANGE if fields else Effect.UNCHANGED
        change = _change(wanted, effect, live, diff.significant(after), fields, note)
        # What nobody owns belongs to "before-first-apply" for the server, which is as good as nobody.
        force = verdict.force or untracked or (wanted.key.identity in terms.handed and terms.manager == MANAGER)
        return Compared(change, body, force, problems, taken if fields else (), left)

    def _judge(
        self, key: ResourceKey, body: Mapping[str, Any], live: Json, terms: Terms, taken: tuple[str, ...]
    ) -> tuple[Json, Verdict]:
        """The object after takeover and apply, as the server says, and what to think of each difference."""
        after = answer = self._world.cluster.dry_run_apply(body, manager=terms.manager, force=True)
        if taken:
            # A dry run can take one step only: the second, giving up fields, is computed, and then the server
            # is asked what it would make of that (defaults come back).
            steps = migrate.replacement(live, migrate.given_up(after, taken))
            after = self._world.cluster.dry_run_patch(key, steps, manager=terms.manager) if steps else live
        changes = diff.compare(live, after, terms.manager)
        unasked = diff.untouched(live, after, answer, terms.manager) if changes else frozenset()
        unasked |= {c.path for c in changes if diff.is_order(c, live)}  # an order belongs to nobody
        past = self._past(key, live, terms) if changes else Past()
        others = (MANAGER, HELM_MANAGER) if key.identity in terms.handed else ()
        before = (*taken, *others)
        verdict = classify.classify(
            changes, past, force=terms.force, manager=terms.manager, predecessors=before, unasked=unasked
        )
        return after, verdict

    def _past(self, key: ResourceKey, live: Json, terms: Terms) -> Past:
        known = self._recorded.get(key.identity)
        if known is None or known.uid != live["metadata"].get("uid"):
            return Past()
        row = self._recorded_images().get(key.identity)
        if row is None or row.after is None:
            return Past(recorded=True)
        moved = classify.moved_since(row.after, live, terms.manager)
        order = frozenset(f.path for f in moved if diff.is_order(f, live))
        return Past(recorded=True, moved=frozenset(f.path for f in moved) - order, reordered=order)

    def _recorded_images(self) -> Mapping[tuple[str, str, str, str], ResourceRecord]:
        """Images of everything recorded, read when the first difference shows."""
        with self._guard:
            if self._images is None:
                target = self._target
                rows = self._world.ledger.images(target, self._keys) if target else {}
                self._images = {key.identity: row for key, row in rows.items()}
            return self._images

    def _refused(
        self, wanted: Desired, live: Json | None, error: ClusterError | ClusterForbidden, terms: Terms
    ) -> Compared:
        """The server would not even pretend: wrong for good (400, 422), or unknown (rights, webhooks)."""
        self._world.cleaned(error, wanted.body, terms.values)
        if isinstance(error, ClusterError) and error.immutable and live is not None:
            return self._recreated(wanted, live, error, terms)
        if isinstance(error, ClusterError) and trial.for_good(error):
            problem = _problem(wanted, error.message, error.hint)
            return Compared(_change(wanted, Effect.UNKNOWN, live, None), wanted.body, problems=(problem,))
        note = f"unknown: {error.message}"
        change = _change(wanted, Effect.UNKNOWN, live, wanted.body, (), note)
        return Compared(change, wanted.body, force=terms.force)

    def _recreated(self, wanted: Desired, live: Json, error: ClusterError, terms: Terms) -> Compared:
        """A field that cannot be changed: delete and make anew where that is allowed."""
        paths = [path for path, _ in error.causes if path]
        fields = tuple(
            FieldChange(path, diff.value_at(live, path), diff.value_at(wanted.body, path)) for path in paths
        )
        known = self._recorded.get(wanted.key.identity)
        ours = known is not None and known.uid == live["metadata"].get("uid")
        ours = ours or _of_release(wanted.body, live)
        ruling = recreate.ruling(wanted.body, live, ours=ours)
        named = ", ".join(paths) or "a field"
        if not ruling.allowed:
            # The server repeats the whole value; its last words say why.
            said = dict.fromkeys(text.rpartition(": ")[2] for _, text in error.causes)
            why = "; ".join(filter(None, (*said, ruling.reason)))
            problem = _problem(wanted, f"{named} cannot be changed: {why}", ruling.hint)
            change = _change(wanted, Effect.RECREATE, live, None, fields)
            return Compared(change, wanted.body, problems=(problem,))
        try:
            after = trial.made_anew(self._world.cluster, wanted.body)
        except ClusterError as invalid:
            self._world.cleaned(invalid, wanted.body, terms.values)
            problem = _problem(wanted, f"it would have to be recreated, and then: {invalid.message}", invalid.hint)
            return Compared(_change(wanted, Effect.RECREATE, live, None, fields), wanted.body, problems=(problem,))
        note = f"recreated, because {named} cannot be changed"
        return Compared(_change(wanted, Effect.RECREATE, live, after, fields, note), wanted.body)


def _change(
    wanted: Desired,
    effect: Effect,
    before: Json | None,
    after: Mapping[str, Any] | None,
    fields: tuple[FieldChange, ...] = (),
    note: str = "",
) -> Change:
    return Change(wanted.key, effect, before, after, fields, note, wanted.source)


def _problem(wanted: Desired, message: str, hint: str | None) -> Problem:
    return Problem(f"{wanted.app}: {wanted.key}: {message}", wanted.source, hint)


def _conflict(wanted: Desired, field: FieldChange) -> Problem:
    how = " ".join(filter(None, (field.operation, f"since {field.time}" if field.time else "")))
    who = f"field manager {field.manager!r}" + (f" ({how})" if how else "")
    hint = "leave the field out, or take it over: --force-conflicts, or force_conflicts: true"
    return _problem(wanted, f"{field.path} belongs to {who}", hint)


def left_problem(wanted: Desired, left: Sequence[FieldChange]) -> Problem:
    """Fields that others are there to set, in an object that is sent as it is."""
    named = ", ".join(f"{f.path} (set by {f.manager})" for f in left)
    hint = "let the chart leave it out (most have a value for that), or take it: --force-conflicts"
    return _problem(wanted, f"the chart sets what others are there to set: {named}", hint)


def _remarks(taken: Sequence[str], verdict: Verdict, left: Sequence[FieldChange], *, untracked: bool) -> str:
    """What a person must know of a change beside its fields."""
    parts = [f"takes over from {', '.join(taken)}"] if taken else []
    parts += [f"takes {f.path} from {f.manager}" for f in verdict.taken]
    parts += [f"{f.path} is left to {f.manager}" for f in left]
    parts += ["nobody owns its fields, so what the file leaves out stays"] if untracked else []
    return "; ".join(parts)


def _of_release(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Both belong to the same Helm release."""
    mine, theirs = ((body["metadata"].get("annotations") or {}) for body in (wanted, live))
    names = (labels.RELEASE_NAME, labels.RELEASE_NAMESPACE)
    return all(name in mine and mine[name] == theirs.get(name) for name in names)


def _other_project(live: Json, wanted: Desired) -> str:
    """The project that a live object is labelled with, if it is not the one that wants it."""
    mine = wanted.project or ((wanted.body.get("metadata") or {}).get("labels") or {}).get(labels.PROJECT)
    owner = (live["metadata"].get("labels") or {}).get(labels.PROJECT)
    return str(owner) if owner and mine and owner != mine else ""
