"""Undoing what was done to objects that we apply ourselves, from their images before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sbkube.engine.draft import Draft
from sbkube.engine.emptied import NAMESPACES, Emptied
from sbkube.engine.moved import fields_moved, marked, why_moved
from sbkube.engine.prune import is_release_storage
from sbkube.engine.recreation import recreation, whole
from sbkube.engine.surroundings import at_once
from sbkube.engine.undo import took_effect
from sbkube.errors import ClusterError
from sbkube.models.deployment_state import DeploymentDetail, ResourceRecord
from sbkube.models.outcome import OpState
from sbkube.models.plan import BESIDE, Change, Effect, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan import diff, fieldset, labels, migrate, order, recreate
from sbkube.plan.labels import MANAGER
from sbkube.plan.operations import Step, give_back_step, object_step, takeover_step
from sbkube.ports import Recorded

Body = Mapping[str, Any]
Identity = tuple[str, str, str, str]
_TAKE_AWAY = frozenset({Verb.DELETE.value, Verb.RECREATE.value})
# What is done to Helm's record of a release as to any object: a release was taken apart, put together, adopted.
_ON_STORAGE = frozenset({Verb.DELETE.value, Verb.APPLY.value, Verb.LABEL.value})
_AFTER_RELEASE = 5  # a wave of its own, behind everything else of the app


@dataclass(slots=True)
class _Touched:
    """One object through the deployments to undo: its first and last record, and every field that was ours then.

    `torn`: we began to take it away and do not know how far we came. `anew`: it was deleted or recreated by us.
    """

    first: ResourceRecord
    last: ResourceRecord
    torn: bool = False
    anew: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> bool:
        """It was not there before."""
        return self.first.before is None and not self.first.resource_version_before


class ObjectUndo:
    """Plans the way back of every object that the deployments touched."""

    def __init__(self, draft: Draft, details: Sequence[DeploymentDetail]) -> None:
        self._draft = draft
        self._details = details
        self._answers: dict[Identity, tuple[Body, Body] | ClusterError | None] = {}

    def plan(self) -> None:
        """Add changes and steps to the draft, or what stands in their way."""
        touched, labelled = self._touched()
        draft = self._draft
        if draft.undo.to:
            self._as_left(touched)
        draft.live.observe(row.key for row in (*(t.first for t in touched.values()), *labelled.values()))
        namespaces = []
        items = sorted(touched.values(), key=lambda t: order.sort_key(t.first.key))
        self._answers = dict(zip((i.first.key.identity for i in items), at_once(self._ask, items), strict=True))
        for item in items:
            if item.first.key.kind == "Namespace" and item.created:
                namespaces.append(item)
            else:
                self._object(item)
        for row in labelled.values():
            self._labels_back(row)
        self._namespaces(namespaces)

    def _touched(self) -> tuple[dict[Identity, _Touched], dict[Identity, ResourceRecord]]:
        touched: dict[Identity, _Touched] = {}
        labelled: dict[Identity, ResourceRecord] = {}
        for detail in self._details:
            for row in sorted(detail.resources, key=lambda r: r.position):
                helms = is_release_storage(row.key) and row.verb not in _ON_STORAGE
                if helms or not self._wanted(row):
                    continue
                if row.verb == Verb.LABEL and took_effect(row):
                    labelled.setdefault(row.key.identity, row)
                if row.verb in BESIDE:
                    continue
                torn = row.state is OpState.FAILED and row.verb in _TAKE_AWAY and row.after is None
                if torn or took_effect(row):
                    known = touched.setdefault(row.key.identity, _Touched(row, row))
                    known.last = known.last if torn else row
                    known.torn = torn
                    known.fields = fieldset.union(known.fields, fieldset.owned_tree(row.after, MANAGER))
                    known.anew |= row.verb in _TAKE_AWAY
        return touched, labelled

    def _wanted(self, row: ResourceRecord) -> bool:
        """Its app takes part, or something of such an app lies in the namespace that it is."""
        if self._draft.wants(row.app_name):
            return True
        if row.key.kind != "Namespace" or row.verb != Verb.DELETE:
            return False
        inside = (r for d in self._details for r in d.resources if r.key.namespace == row.key.name)
        return any(self._draft.wants(r.app_name) for r in inside)

    def _as_left(self, touched: dict[Identity, _Touched]) -> None:
        """`--to`: what that deployment left counts, not what others made of it before we acted again."""
        left = self._draft.world.ledger.left_by(self._draft.undo.to, self._draft.target)
        by_identity = {key.identity: row for key, row in left.items()}
        for detail in self._details:  # what others had deleted, so that we forgot it, was there then
            for gone in detail.resources:
                if gone.verb == Verb.FORGET and gone.key.identity in by_identity and self._wanted(gone):
                    touched.setdefault(gone.key.identity, _Touched(gone, gone))
        for identity, item in touched.items():
            row = by_identity.get(identity)
            if row is not None:
                version = row.resource_version_after
                item.first = replace(
                    item.first, before=row.after, resource_version_before=version, missing_key=row.missing_key
                )

    def _object(self, item: _Touched) -> None:
        draft, key = self._draft, item.first.key
        live = draft.live.get(key)
        if item.first.missing_key and not item.created:
            draft.problem(
                f"{key}: what it held cannot be read here: it is encrypted, or was not kept for want of a key",
                "set SBKUBE_STATE_KEY to the key it was recorded under, or leave its app out",
            )
            return
        if not (draft.undo.force or self._torn(item, live) or item.last.missing_key):
            left = None if item.last.verb == Verb.DELETE and not item.torn else item.last.after
            problem = why_moved(key, left, live, MANAGER) if left or not item.torn else None
            if problem is not None:
                draft.problems.append(problem)
                return
        if item.first.before is None:
            self._remove(item)
        else:
            self._restore(item, item.first.before, live)

    @staticmethod
    def _torn(item: _Touched, live: Body | None) -> bool:
        """It is gone because we were cut off while we replaced or deleted it."""
        return item.torn and live is None

    def _remove(self, item: _Touched) -> None:
        key, app = item.first.key, item.first.app_name
        known = Recorded(app, item.last.verb, item.last.uid or _uid(item.last.after), "", "", "", "")
        change = self._draft.removal.deletion(key, known)
        if change is not None:
            self._delete(app, change)

    def _delete(self, app: str, change: Change) -> None:
        self._draft.show(app, change)
        if change.effect is Effect.DELETE:
            self._draft.take_away(app, object_step(app, Verb.DELETE, change, None))

    def _restore(self, item: _Touched, before: Body, live: Body | None) -> None:
        app, key = item.first.app_name, item.first.key
        if live is not None and self._draft.is_deleted(key):
            # A release that had taken the object over goes, and takes it along; then it is made anew.
            self._draft.hoist(key)
            anew = recreation(before)
            change = Change(key, Effect.CREATE, None, anew, note="made anew, behind its release")
            self._write(app, Verb.APPLY, change, anew, wave=_AFTER_RELEASE)
            return
        answer = self._answers[key.identity]
        if isinstance(answer, ClusterError):
            self._anew(item, before, live or {}, answer)
            return
        assert answer is not None, key
        body, after = answer
        if live is None:
            self._write(app, Verb.APPLY, Change(key, Effect.CREATE, None, body), body)
            return
        fields = diff.compare(live, after)
        left = item.last.after
        if fields and left is not None:
            fields = marked(fields, fields_moved(left, live, MANAGER))
        foreign = not labels.ours(before, self._draft.config.name)
        managers = self._taken_again(before, live)
        note = "given back to those who managed it before" if foreign else ""
        note = f"takes over from {', '.join(managers)}" if managers else note
        change = Change(key, Effect.CHANGE if fields else Effect.UNCHANGED, live, after, fields, note)
        first = takeover_step(app, change, managers) if managers else None
        if first is not None:
            self._draft.put_back(app, first)
        step = None
        if fields:
            step = self._write(app, Verb.APPLY, change, body, first=first)
        else:
            self._draft.show(app, change)
        if foreign:
            self._draft.put_back(app, give_back_step(app, change, before, step))

    def _taken_again(self, before: Body, live: Body) -> tuple[str, ...]:
        """Who got back what was ours as it was `before`, and nobody else's: that is taken over once more."""
        if not labels.ours(before, self._draft.config.name):
            return ()
        had = {owner.manager for owner, _ in fieldset.entries(before) if owner.operation == "Update"}
        return tuple(name for name in migrate.predecessors(live) if name not in had)

    def _write(
        self,
        app: str,
        verb: Verb,
        change: Change,
        body: Body,
        *,
        wave: int | None = None,
        first: Step | None = None,
    ) -> Step:
        self._draft.show(app, change)
        step = object_step(app, verb, change, body, force=True)
        step = step if wave is None else replace(step, wave=wave)
        if first is not None:
            step = replace(step, operation=replace(step.operation, needs=(first.operation.id,)))
        self._draft.put_back(app, step)
        return step

    def _ask(self, item: _Touched) -> tuple[Body, Body] | ClusterError | None:
        """What to send for an object and what comes of it, as the server says; None where nothing is put back."""
        key, before = item.first.key, item.first.before
        if before is None or (item.first.missing_key and not item.created):
            return None
        live = self._draft.live.get(key)
        if live is None:
            body = self._creatable(before)
            return body, body
        if self._draft.is_deleted(key):
            return None
        try:
            return self._way_back(item, before, live)
        except ClusterError as error:
            self._draft.world.cleaned(error, before)
            return error

    def _creatable(self, before: Body) -> Body:
        """What we owned of a deleted object; all of it where that alone is not a whole object."""
        body = recreation(before)
        try:
            self._draft.world.cluster.dry_run_apply(body, manager=MANAGER, force=True)
        except ClusterError as error:
            if error.code == 422:
                return whole(before)
        return body

    def _way_back(self, item: _Touched, before: Body, live: Body) -> tuple[Body, Body]:
        """What to apply so that the object becomes as it was, and what the server would make of it.

        Applying what we owned gives up what we added since. Where that is not enough, because we took fields over
        from others, their old values are applied too; what others own now is left to them.
        """
        managers = self._taken_again(before, live)
        owned = fieldset.owned_tree(before, MANAGER)
        ours = fieldset.extract(before, owned)
        after = self._answer(ours, live, managers)
        taken = fieldset.union(owned, item.fields)
        if fieldset.extract(after, taken) == fieldset.extract(before, taken):
            return ours, after
        both = fieldset.extract(before, taken)
        return both, self._answer(both, live, managers)

    def _answer(self, body: Body, live: Body, managers: Sequence[str]) -> Body:
        """What the server would make of an object by this apply, once what these managers own is ours."""
        cluster = self._draft.world.cluster
        after = cluster.dry_run_apply(body, manager=MANAGER, force=True)
        if not managers:
            return after
        steps = migrate.replacement(live, migrate.given_up(after, managers))
        return cluster.dry_run_patch(ResourceKey.of(live), steps, manager=MANAGER) if steps else live

    def _anew(self, item: _Touched, before: Body, live: Body, error: ClusterError) -> None:
        """A field cannot be changed back: the object must be made anew, where that is allowed."""
        key, draft = item.first.key, self._draft
        why, hint = "", error.hint or "look at it, or leave its app out"
        if not error.immutable:
            why = error.message
        elif recreate.holds_data(live) and not draft.undo.consent:
            why, hint = "it must be deleted and made anew, and may hold data", "--delete-data consents to that"
        elif not item.anew or labels.kept(live):
            # What we had deleted or recreated ourselves may be so again; all else by the policy of an apply.
            ruling = recreate.ruling(before, live, ours=True)
            if not ruling.allowed:
                why = f"{error.message}; {ruling.reason}" if ruling.reason else error.message
                hint = ruling.hint
        if why:
            draft.problem(f"{key} cannot be put back: {why}", hint)
            return
        body = recreation(before)
        self._write(item.first.app_name, Verb.RECREATE, Change(key, Effect.RECREATE, live, body), body)

    def _labels_back(self, row: ResourceRecord) -> None:
        """Labels that we merged onto an object of Helm are taken off again, if that object is still there."""
        live, draft = self._draft.live.get(row.key), self._draft
        if live is None or _uid(live) != row.uid or draft.is_deleted(row.key):
            return
        have = (
            live["metadata"].get("labels") or {},
            ((row.before or {}).get("metadata") or {}).get("labels") or {},
        )
        wanted = ((row.intent or {}).get("metadata") or {}).get("labels") or {}
        back = {name: have[1].get(name) for name, value in wanted.items() if have[0].get(name) == value}
        if not back or back == dict(wanted):
            return
        change = Change(row.key, Effect.CHANGE, None, None)
        step = object_step(row.app_name, Verb.LABEL, change, {"metadata": {"labels": back}})
        operation = replace(step.operation, sensitive=False)
        draft.put_back(row.app_name, replace(step, operation=operation, wave=_AFTER_RELEASE, awaits=()))

    def _namespaces(self, items: Sequence[_Touched]) -> None:
        """Namespaces that we created go last, if nothing is left in them."""
        if not items:
            return
        draft = self._draft
        emptied = Emptied(draft.world, draft.live, draft.loose())
        for item in items:
            if draft.puts_into(item.first.key.name):
                continue
            known = Recorded(NAMESPACES, item.last.verb, item.last.uid or _uid(item.last.after), "", "", "", "")
            change = emptied.namespace(item.first.key, known, draft.config.name, draft.warnings)
            if change is not None:
                self._delete(NAMESPACES, change)


def _uid(body: Body | None) -> str:
    return str(((body or {}).get("metadata") or {}).get("uid", ""))
