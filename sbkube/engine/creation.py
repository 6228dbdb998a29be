"""Creating an object that must not be there yet, owned as if it had been applied.

A server-side apply of an absent object cannot be bound to its absence: `resourceVersion` and `uid` are
preconditions of objects that exist. If a run that has lost its lock sent one late, it would overwrite what its
successor, the same field manager, had created meanwhile. So we create (409 when it exists) and then turn the entry
that the create made in `managedFields` into the one that an apply would have made, bound to the version created.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sbkube.engine.hands import TRIES, Hands
from sbkube.errors import ClusterError, SbkubeError
from sbkube.models.resource import ResourceKey
from sbkube.plan import migrate
from sbkube.plan.labels import MANAGER
from sbkube.ports import Json


def create_owned(body: Mapping[str, Any], hands: Hands) -> Json:
    """The object as created; raises ClusterError (409) when somebody else was quicker."""
    key = ResourceKey.of(body)
    try:
        live = hands.world.cluster.create(body, manager=MANAGER)
    except ClusterError as error:
        if error.reason != "AlreadyExists":
            raise
        raise ClusterError(
            f"{key} was created by somebody since the plan was made",
            code=409,
            reason="Conflict",
            hint="plan again",
        ) from error
    try:
        return as_applied(live, body, hands)
    except SbkubeError:
        # It is there, and as it was wanted: that is what must be recorded. The next change migrates it.
        return live


def as_applied(live: Json, body: Mapping[str, Any], hands: Hands) -> Json:
    """Turn what our create owns into what an apply of `body` would own; others' objects are left as they are."""
    key, made = ResourceKey.of(body), live["metadata"].get("uid")
    for _ in range(TRIES):
        if MANAGER not in migrate.predecessors(live):
            return live
        hands.lock.check()
        pruned = (_pruned(entry, body) for entry in migrate.merged(live, (MANAGER,)))
        entries = [entry for entry in pruned if entry.get("fieldsV1")]
        try:
            return hands.world.cluster.patch(key, migrate.steps(live, entries), manager=MANAGER)
        except ClusterError as error:
            if not error.conflict:
                raise
            found = hands.world.cluster.get(key)
            if found is None or found["metadata"].get("uid") != made:
                return live
            live = found
    return live  # controllers write too fast; the next change migrates it


def _pruned(entry: Json, body: Mapping[str, Any]) -> Json:
    """Our entry without what defaults have added: an apply owns only what it names."""
    if entry.get("manager") != MANAGER or entry.get("operation") != "Apply" or entry.get("subresource"):
        return entry
    wanted = dict(body)
    if "stringData" in wanted:  # stored as data
        wanted["data"] = {**(wanted.get("data") or {}), **dict.fromkeys(wanted["stringData"] or {})}
    return {**entry, "fieldsV1": named(entry.get("fieldsV1") or {}, wanted)}


def named(tree: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The part of a field tree (FieldsV1) that a manifest names, as an apply records it.

    An apply lists the items of lists themselves (`.`), and maps only where they are empty.
    """
    kept: dict[str, Any] = {}
    for segment, below in tree.items():
        if segment == ".":
            continue
        found, member = _member(segment, value)
        if found:
            kept[segment] = named(below, member) if below and member not in ({}, []) else {}
            if segment.startswith("k:") and "." in below:
                kept[segment] = {".": {}, **kept[segment]}
    return kept


def _member(segment: str, value: Any) -> tuple[bool, Any]:
    """Whether a manifest names what a segment stands for, and its value there."""
    if segment.startswith("f:"):
        return (True, value[segment[2:]]) if isinstance(value, Mapping) and segment[2:] in value else (False, None)
    if not isinstance(value, list):
        return False, None
    if segment.startswith("k:"):
        keys = json.loads(segment[2:])
        items = [v for v in value if isinstance(v, Mapping) and all(v.get(k, w) == w for k, w in keys.items())]
        return (True, items[0]) if items else (False, None)
    if segment.startswith("v:"):
        return json.loads(segment[2:]) in value, None
    return True, None  # an index: as a whole
