"""Who owns which field: server-side apply and the bookkeeping of `metadata.managedFields`.

The rules are those of apimachinery `managedfields` and structured-merge-diff `merge.Updater`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time as clock
from typing import Any

from sbkube.sandbox import fieldset
from sbkube.sandbox.fieldset import Fields
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.merging import compare, merge, prune
from sbkube.sandbox.schema import Type, type_of
from sbkube.sandbox.status import Cause, StatusError, apply_conflict

Json = dict[str, Any]

# apimachinery `managedfields/internal/stripmeta.go`
_STRIPPED = fieldset.of_paths((
    ("f:apiVersion",), ("f:kind",), ("f:metadata",),
    *(("f:metadata", f"f:{m}") for m in ("name", "namespace", "creationTimestamp", "selfLink", "uid",
                                         "clusterName", "generation", "managedFields", "resourceVersion")),
))  # fmt: skip


MOST_UPDATERS = 10
ANCIENT = "ancient-changes"
BEFORE_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes: the name, and through which subresource ("" for the object itself)."""

    name: str
    subresource: str = ""


def now() -> str:
    """The time as the API writes it, in whole seconds."""
    return _text(int(clock()))


@lru_cache(maxsize=2)
def _text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entries_of(obj: Json) -> list[Json]:
    """The object's `managedFields`."""
    return obj["metadata"].get("managedFields") or []


def _bare(obj: Json) -> Json:
    """The object without its `managedFields`, which never count as fields."""
    metadata = {k: v for k, v in obj.get("metadata", {}).items() if k != "managedFields"}
    return {**obj, "metadata": metadata}


def same_but_times(new: Json, live: Json) -> bool:
    """Whether only times of managers' entries differ, which is no change (apimachinery `equality.go`)."""
    before, after = ([{**e, "time": None} for e in entries_of(obj)] for obj in (live, new))
    return before == after and _bare(new) == _bare(live)


def _strip(fields: Fields, reset: tuple[tuple[str, ...], ...]) -> Fields:
    fields = fieldset.difference(fields, _STRIPPED)
    for path in reset:
        fields = fieldset.without_tree(fields, path)
    return fields


def _entry(kind: Kind, manager: Manager, operation: str, fields: Fields, time: str | None) -> Json:
    out: Json = {"manager": manager.name, "operation": operation, "apiVersion": kind.api_version}
    if time:
        out["time"] = time
    out |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    if manager.subresource:
        out["subresource"] = manager.subresource
    return out


def _is_mine(entry: Json, kind: Kind, manager: Manager, operation: str) -> bool:
    return (
        entry.get("manager") == manager.name
        and entry.get("operation") == operation
        and entry.get("subresource", "") == manager.subresource
        and (operation == "Apply" or entry.get("apiVersion") == kind.api_version)
    )


def _order(entry: Json) -> tuple[Any, ...]:
    keys = (entry.get(k) or "" for k in ("time", "manager", "apiVersion", "subresource"))
    return (entry["operation"] != "Apply", *keys)


def _with_entries(obj: Json, entries: list[Json]) -> Json:
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    kept = [e for e in entries if e["fieldsV1"]]
    if kept:
        metadata["managedFields"] = sorted(kept, key=_order)
    return {**obj, "metadata": metadata}


def record_update(
    kind: Kind, old: Json, new: Json, manager: Manager, reset: tuple[tuple[str, ...], ...] = ()
) -> Json:
    """`new` with `managedFields` brought up to date after an Update (or create) that made it from `old`.

    `old` is the live object, or the kind's zero object on create. Entries are taken from `new` (an update may
    clear them by sending an empty list).
    """
    change = compare(type_of(kind), _bare(old), _bare(new))
    changed, removed = _strip(change.changed, reset), change.removed
    entries = []
    mine: Json | None = None
    for entry in entries_of(new):
        if _is_mine(entry, kind, manager, "Update"):
            mine = entry
            continue
        fields = entry.get("fieldsV1") or {}
        taken = fieldset.difference(fieldset.difference(fields, removed), change.changed)
        entries.append(entry if taken == fields else {**entry, "fieldsV1": taken})
    before: Fields = mine.get("fieldsV1") or {} if mine else {}
    after = fieldset.difference(fieldset.union(before, changed), removed)
    if after:
        fresh = mine is None or after != before
        time = now() if fresh else mine.get("time") if mine else None
        entries.append(_entry(kind, manager, "Update", after, time))
    return _with_entries(new, _capped(entries))


def _capped(entries: list[Json]) -> list[Json]:
    """The oldest updates beyond ten become one entry per version (apimachinery `capmanagers.go`)."""
    updates = sorted((e for e in entries if e["operation"] == "Update" and e["fieldsV1"]), key=_age)
    over = len(updates) - MOST_UPDATERS
    if over <= 0:
        return entries
    buckets: dict[str, Json] = {}
    gone: list[int] = []
    for entry in updates:
        if over <= 0:
            break
        version = entry["apiVersion"]
        first = buckets.get(version)
        gone.append(id(entry))
        if first is None:
            buckets[version] = {**entry}
            continue
        merged = fieldset.union(entry["fieldsV1"], first["fieldsV1"])
        kept = {k: v for k, v in entry.items() if k != "subresource"}
        buckets[version] = {**kept, "manager": ANCIENT, "fieldsV1": merged}
        over -= 1
    return [e for e in entries if id(e) not in gone] + list(buckets.values())


def _age(entry: Json) -> tuple[str, ...]:
    return tuple(str(entry.get(k) or "") for k in ("time", "manager", "apiVersion", "subresource"))


def record_scale(
    kind: Kind, new: Json, manager: Manager, path: tuple[str, ...], changed: bool, operation: str, force: bool
) -> Json:
    """`new`, whose number of replicas at `path` was written through the scale subresource, with its new owner.

    Raises StatusError 409 when an apply meets other owners and may not force.
    """
    fields: Fields = {}
    for step in reversed(path):
        fields = {step: fields}
    entries = entries_of(new)
    mine = next((e for e in entries if _is_mine(e, kind, manager, operation)), None)
    others = [e for e in entries if e is not mine]
    if changed:
        others = _settle(others, fields, {}, force or operation == "Update")
    owned = fieldset.union((mine or {}).get("fieldsV1") or {}, fields)
    return _with_entries(new, [*others, _entry(kind, manager, operation, owned, None)])


def clears_managers(obj: Json) -> bool:
    """Whether an update asks to forget all managers (`managedFields: [{}]`)."""
    return (obj.get("metadata") or {}).get("managedFields") == [{}]


def apply(
    kind: Kind,
    live: Json,
    applied: Json,
    manager: Manager,
    force: bool,
    reset: tuple[tuple[str, ...], ...] = (),
) -> Json:
    """Server-side apply: the live object (zero object on create) with `applied` merged in.

    Fields this manager applied before and applies no longer are removed unless somebody else owns them.
    Raises StatusError 409 with one cause per field owned by others, unless `force`. The result's managed entries
    have the time of now only where something changed.
    """
    definition = type_of(kind)
    entries = entries_of(live)
    config = {k: v for k, v in applied.items() if (f"f:{k}",) not in reset}
    mine = next((e for e in entries if _is_mine(e, kind, manager, "Apply")), None)
    others = [e for e in entries if e is not mine]
    fields = _strip(fieldset.of_value(definition, config), reset)
    last: Fields = (mine or {}).get("fieldsV1") or {}
    bare = _bare(live)
    merged = merge(definition, bare, config)
    if last and last != fields:
        merged = _prune(definition, merged, last, fields, others)
    same = merged == bare
    if others and not same:
        change = compare(definition, bare, merged)
        others = _settle(others, change.changed, change.removed, force)
    time = (mine or {}).get("time") if same else now()
    return _with_entries(merged, [*others, _entry(kind, manager, "Apply", fields, time)])


def _prune(definition: Type, merged: Json, last: Fields, fields: Fields, others: list[Json]) -> Json:
    managed = fieldset.union(fields, {"f:metadata": {"f:name": {}}})
    for entry in others:
        managed = fieldset.union(managed, entry.get("fieldsV1") or {})
    kept: Json = prune(definition, merged, last, managed)
    return kept


def _settle(others: list[Json], changed: Fields, removed: Fields, force: bool) -> list[Json]:
    """The other managers' entries after the change; refuses what they own unless `force`."""
    out, conflicts = [], []
    for entry in others:
        fields = entry.get("fieldsV1") or {}
        clash = fieldset.intersection(fields, changed) if changed else {}
        if clash:
            conflicts.append((entry, clash))
        if clash or removed:
            fields = fieldset.difference(fieldset.difference(fields, clash), removed)
            entry = {**entry, "fieldsV1": fields}
        out.append(entry)
    if conflicts and not force:
        raise _refusal(conflicts)
    return out


def _who(entry: Json) -> str:
    text = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    if entry.get("operation") == "Update":
        text += f" using {entry.get('apiVersion')}"
    return text


def _refusal(conflicts: list[tuple[Json, Fields]]) -> StatusError:
    found: dict[str, list[str]] = {}
    for entry, clash in conflicts:
        texts = [fieldset.path_text(p) for p in fieldset.paths(clash)]
        found.setdefault(_who(entry), []).extend(texts)
    causes = [
        Cause("FieldManagerConflict", f"conflict with {who}", path)
        for who, ps in sorted(found.items())
        for path in ps
    ]
    count = len(causes)
    if count == 1:
        text = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
        return apply_conflict(text, causes)
    parts = [f"conflicts with {who}:\n" + "\n".join(f"- {p}" for p in ps) for who, ps in sorted(found.items())]
    return apply_conflict(f"Apply failed with {count} conflicts: " + "\n".join(parts), causes)
