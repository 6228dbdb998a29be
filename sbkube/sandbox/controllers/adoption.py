"""Adoption: a controller takes what its selector matches and nobody controls (`ControllerRefManager`).

Orphaned dependents come back to an owner that is created again this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbkube.sandbox.controllers.cluster import Json, controller_of, copied, owner_reference, terminating
from sbkube.sandbox.selectors import selector_of

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers


async def adopt(run: Controllers, owner: Json, kind: str, prefix: str = "") -> list[Json]:
    """Takes matching orphans of `kind` whose names begin with `prefix`; gives all that `owner` controls now."""
    struct = owner["spec"].get("selector")
    if owner["kind"] == "ReplicationController":
        struct = {"matchLabels": struct or {}}
    selector = selector_of(struct)
    namespace = owner["metadata"].get("namespace", "")
    for obj in run.found(list(run.index.in_namespace(namespace, kind))):
        meta = obj["metadata"]
        if controller_of(obj) is not None or terminating(obj) or not meta["name"].startswith(prefix):
            continue
        if selector and selector.matches(meta.get("labels")):
            changed = copied(obj)
            changed["metadata"].setdefault("ownerReferences", []).append(owner_reference(owner))
            await run.cluster.update(changed)
    return run.owned(owner, kind)
