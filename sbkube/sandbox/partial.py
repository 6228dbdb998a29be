"""Subresources that write a part of a pod's spec: ephemeral containers and resources.

Sources: `registry/core/pod/strategy.go` (dropNonEphemeralContainerUpdates, dropNonResizeUpdates).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation import pods

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Partial:
    """`merge` makes the new spec of the stored and the sent one; `check` finds what is wrong with (new, old)."""

    merge: Callable[[Json, Json], Json]
    check: Callable[[Json, Json], list[Cause]]


def _ephemeral(live: Json, sent: Json) -> Json:
    kept = {k: v for k, v in live.items() if k != "ephemeralContainers"}
    wanted = sent.get("ephemeralContainers")
    return {**kept, "ephemeralContainers": wanted} if wanted else kept


def _resized(live: Json, sent: Json) -> Json:
    made = dict(live)
    for member in ("containers", "initContainers"):
        by_name = {c.get("name"): c for c in sent.get(member) or () if isinstance(c, dict)}
        if live.get(member):
            made[member] = [
                {
                    **c,
                    **{k: v for k, v in by_name.get(c["name"], {}).items() if k in ("resources", "resizePolicy")},
                }
                for c in live[member]
            ]
    return made


def _check_resize(new: Json, old: Json) -> list[Cause]:
    return pods.pod_spec(new["spec"], "spec")


UPDATES: dict[str, Partial] = {
    "ephemeralcontainers": Partial(_ephemeral, pods.ephemeral_update),
    "resize": Partial(_resized, _check_resize),
}
