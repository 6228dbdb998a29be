"""Hashes and revisions of pod templates."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from sbkube.sandbox.controllers.cluster import Json, Key, owner_reference
from sbkube.sandbox.controllers.replicas import SAFE

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers


def template_hash(template: Json) -> str:
    """Ten characters that stand for a pod template."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(SAFE[b % len(SAFE)] for b in digest[:10])


async def ensure_revision(run: Controllers, owner: Json) -> str:
    """The name of the ControllerRevision of the owner's template, which is made when it is not there."""
    name = f"{owner['metadata']['name']}-{template_hash(owner['spec']['template'])}"
    namespace = owner["metadata"]["namespace"]
    if run.get(Key("apps", "ControllerRevision", namespace, name)) is None:
        numbers = [r.get("revision", 0) for r in run.owned(owner, "ControllerRevision")]
        labels = dict(owner["spec"]["template"]["metadata"].get("labels") or {})
        labels["controller.kubernetes.io/hash"] = name.rpartition("-")[2]
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [owner_reference(owner)],
            },
            "data": {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}},
            "revision": max(numbers, default=0) + 1,
        }
        await run.cluster.create(body)
    return name
