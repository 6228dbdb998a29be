"""Taking over from tools that write by Update: once, so that a field that leaves the file leaves the object.

Server-side apply removes a field that its manager stops applying only if nobody else owns it. What `kubectl
apply`, `kubectl create` or Helm 3 wrote is owned by Update entries that nobody would ever give up. So their
entries are merged into ours before our first apply. The rule is that of client-go's `csaupgrade`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbkube.plan import fieldset
from sbkube.plan.labels import HELM_MANAGER, MANAGER, OWNERSHIP, RELEASE_NAME

Json = dict[str, Any]

# Tools that hand an object over when a project takes it. Not those that only add something beside it, such as
# `kubectl label`, `annotate`, `rollout restart` or `scale`: what they set stays.
_TOOLS = frozenset(
    {
        "kubectl-client-side-apply", "kubectl-create", "kubectl-edit", "kubectl-patch", "kubectl-replace",
        "kubectl-set", "kubectl-run", "kubectl-expose", "before-first-apply", HELM_MANAGER,
    }
)  # fmt: skip
_OURSELVES = frozenset({MANAGER})  # what we wrote by another way than apply
_ENTRY = ("manager", "operation", "apiVersion", "subresource")  # tell one entry from another
# Stand for what was applied, by Helm to an object that leaves its release, by us to one that joins a release.
RELEASE = "its release"
PROJECT = "the project's own apply"


def predecessors(
    live: Mapping[str, Any] | None, manager: str = MANAGER, *, handed: bool = False
) -> tuple[str, ...]:
    """Managers whose Update entries on an object go over to us; none once we have applied it, but for our own.

    `handed`: the object changes hands between us and Helm, so what the other one has applied goes over too.
    """
    entries = [owner for owner, _ in fieldset.entries(live) if not owner.subresource]
    applied = {owner.manager for owner in entries if owner.operation == "Apply"}
    other, giver = (HELM_MANAGER, RELEASE) if manager == MANAGER else (MANAGER, PROJECT)
    handed = handed and other in applied
    if manager != MANAGER:  # Helm migrates its own entries, and no others
        wanted = frozenset({manager})
    elif manager in applied:
        wanted = _OURSELVES | {HELM_MANAGER} if handed else _OURSELVES
    else:
        wanted = _OURSELVES | _TOOLS
    found = (o.manager for o in entries if o.operation == "Update" and o.manager in wanted)
    return tuple(dict.fromkeys([giver, *found] if handed else found))


def unfinished(live: Mapping[str, Any] | None, planned: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whose fields have still to go over to us, when the takeover was planned to leave these managed fields."""
    ours = fieldset.owned_tree(planned, MANAGER).get("f:metadata") or {}
    return predecessors(live, handed=f"f:{RELEASE_NAME}" in (ours.get("f:annotations") or {}))


def merged(live: Mapping[str, Any], managers: Sequence[str], manager: str = MANAGER) -> list[Json]:
    """`metadata.managedFields` after the takeover: one Apply entry of ours with all that those managers owned."""
    ours: list[Json] = []
    others: list[Json] = []
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        (ours if _taken(entry, managers) or _own(entry, manager) else others).append(entry)
    trees = [entry.get("fieldsV1") or {} for entry in ours]
    newest = max(ours, key=lambda e: (_own(e, manager), e.get("time") or ""))
    entry = {**newest, "manager": manager, "operation": "Apply", "fieldsV1": fieldset.union(*trees)}
    return [*others, entry]


def handed_over(live: Mapping[str, Any], kept: Mapping[str, str]) -> list[Json]:
    """`metadata.managedFields` after our fields went to Helm; the labels named in `kept` stay ours.

    Helm's own first apply then changes what it wants changed, and drops what the chart lacks.
    """
    stay: Json = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in kept}}}
    entries: list[Json] = []
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if not _own(entry, MANAGER):
            entries.append(entry)
            continue
        fields = fieldset.without(entry.get("fieldsV1") or {}, stay)
        entries += [{**entry, "fieldsV1": stay}, {**entry, "manager": HELM_MANAGER, "fieldsV1": fields}]
    return entries


def given_back(live: Mapping[str, Any], owners: Sequence[Json]) -> list[Json]:
    """`metadata.managedFields` without any of ours, and with the entries of `owners` as they were before us."""
    left: list[Json] = []
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if entry.get("manager") != MANAGER or entry.get("subresource"):
            left.append(entry)
    for owner in owners:
        same = next((e for e in left if all(e.get(name) == owner.get(name) for name in _ENTRY)), None)
        if same is None:
            left.append(owner)
        else:
            fields = fieldset.union(same.get("fieldsV1") or {}, owner.get("fieldsV1") or {})
            left[left.index(same)] = {**same, "fieldsV1": fields}
    return left


def steps(live: Mapping[str, Any], entries: Sequence[Json]) -> list[Json]:
    """The JSON patch that puts these entries in place, bound to the version of the object that was read.

    One empty entry is how the API says none; an empty list would change nothing.
    """
    return [
        {"op": "add", "path": "/metadata/managedFields", "value": list(entries) or [{}]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]


def given_up(after: Mapping[str, Any], managers: Sequence[str]) -> Json:
    """What an apply leaves once those managers' fields were ours: without the fields that only they own.

    `after` is the answer to the apply on the object as it is now, with everybody's entries.
    """
    last: list[Json] = []
    managed: list[Json] = [{"f:metadata": {"f:name": {}, "f:namespace": {}}}]
    if PROJECT in managers:  # tell whose it is, and stay
        managed.append({"f:metadata": {"f:labels": {f"f:{name}": {} for name in OWNERSHIP}}})
    for entry in (after.get("metadata") or {}).get("managedFields") or ():
        (last if _taken(entry, managers) else managed).append(entry.get("fieldsV1") or {})
    pruned: Json = _prune(after, fieldset.union(*last), fieldset.union(*managed))
    return pruned


def replacement(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Json]:
    """A JSON patch that makes the live object the wanted one, apart from who owns what."""
    result = []
    for name in sorted({*live, *wanted} - {"apiVersion", "kind", "metadata", "status"}):
        result += _step(f"/{name}", live.get(name), wanted.get(name))
    for name in ("annotations", "finalizers", "labels", "ownerReferences"):
        result += _step(f"/metadata/{name}", live["metadata"].get(name), wanted["metadata"].get(name))
    return result


def _step(path: str, old: Any, new: Any) -> list[Json]:
    if old == new:
        return []
    return [{"op": "remove", "path": path}] if new is None else [{"op": "add", "path": path, "value": new}]


def _taken(entry: Mapping[str, Any], managers: Sequence[str]) -> bool:
    if entry.get("operation") == "Update":
        return not entry.get("subresource") and entry.get("manager") in managers
    given = RELEASE in managers and _own(entry, HELM_MANAGER)
    return given or (PROJECT in managers and _own(entry, MANAGER))


def _own(entry: Mapping[str, Any], manager: str) -> bool:
    return entry.get("operation") == "Apply" and not entry.get("subresource") and entry.get("manager") == manager


def _prune(value: Any, last: Mapping[str, Any], managed: Mapping[str, Any]) -> Any:
    """`value` less what `last` names and `managed` does not; containers that become empty by it go as well."""
    if isinstance(value, Mapping):
        out = dict(value)
        for key, node in last.items():
            name, other = key[2:], managed.get(key)
            if not key.startswith("f:") or name not in out or (other is not None and not other):
                continue
            if other is None and fieldset.is_member(node):
                del out[name]
                continue
            out[name] = _prune(out[name], node, other or {})
            if other is None and out[name] in ({}, []):
                del out[name]
        return out
    if isinstance(value, list):
        return [kept for item in value if (kept := _prune_item(item, last, managed)) is not None]
    return value


def _prune_item(item: Any, last: Mapping[str, Any], managed: Mapping[str, Any]) -> Any:
    key = fieldset.item_key(last, item)
    if not key:
        return item
    node, other = last[key], managed.get(key)
    if other is None:
        return None if fieldset.is_member(node) else _prune(item, node, {})
    return _prune(item, node, other) if other else item
