"""The garbage collector: owners that are gone take their dependents along, unless they were to be orphaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, Key, copied

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


async def collect(run: Controllers, key: Key, obj: Json) -> bool:
    """Does what garbage collection wants of one object; True when nothing else may touch it."""
    meta = obj["metadata"]
    if meta.get("deletionTimestamp"):
        finalizers = meta.get("finalizers") or ()
        if ORPHAN in finalizers:
            await _orphan(run, obj)
            return True
        if FOREGROUND in finalizers:
            await _foreground(run, obj)
            return True
        return False
    references = meta.get("ownerReferences") or []
    return bool(references) and await _drop_absent(run, key, obj, references)


async def _drop_absent(run: Controllers, key: Key, obj: Json, references: list[Json]) -> bool:
    present = [r for r in references if r.get("uid") in run.index.uids]
    if len(present) == len(references):
        return False
    if present:
        changed = copied(obj)
        changed["metadata"]["ownerReferences"] = present
        await run.cluster.update(changed)
        return False
    await run.cluster.delete(key, obj["metadata"]["uid"])
    return True


async def _orphan(run: Controllers, owner: Json) -> None:
    uid = owner["metadata"]["uid"]
    for dependent in run.found(run.index.dependents(uid)):
        changed = copied(dependent)
        kept = [r for r in changed["metadata"].get("ownerReferences") or () if r.get("uid") != uid]
        if kept:
            changed["metadata"]["ownerReferences"] = kept
        else:
            changed["metadata"].pop("ownerReferences", None)
        await run.cluster.update(changed)
    await _release(run, owner, ORPHAN)


async def _foreground(run: Controllers, owner: Json) -> None:
    uid = owner["metadata"]["uid"]
    blocking = False
    for key in run.index.dependents(uid):
        dependent = run.get(key)
        if dependent is None:
            continue
        reference = next(r for r in dependent["metadata"]["ownerReferences"] if r.get("uid") == uid)
        blocking = blocking or bool(reference.get("blockOwnerDeletion"))
        others = [
            r
            for r in dependent["metadata"]["ownerReferences"]
            if r.get("uid") != uid and r.get("uid") in run.index.uids
        ]
        if not others and not dependent["metadata"].get("deletionTimestamp"):
            propagation = "Foreground" if run.index.dependents(dependent["metadata"]["uid"]) else "Background"
            await run.cluster.delete(key, dependent["metadata"]["uid"], propagation=propagation)
    if not blocking or not run.index.dependents(uid):
        await _release(run, owner, FOREGROUND)


async def _release(run: Controllers, owner: Json, finalizer: str) -> None:
    changed = copied(owner)
    kept = [f for f in changed["metadata"].get("finalizers") or () if f != finalizer]
    if kept:
        changed["metadata"]["finalizers"] = kept
    else:
        changed["metadata"].pop("finalizers", None)
    await run.cluster.update(changed)
