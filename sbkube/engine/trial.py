"""Trying an object out where it cannot be tried in place: its name is taken, or its namespace is yet to be.

The server validates the stand-in in a dry run as it will validate the object itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.plan import answers
from sbkube.plan.labels import MANAGER
from sbkube.ports import Cluster

# Kinds whose name or addresses are part of what they are, so that another one cannot stand in for them.
_SINGULAR = frozenset({"Service", "CustomResourceDefinition", "Namespace", "APIService", "PersistentVolume"})
_ELSEWHERE = "default"  # the one namespace that every cluster has


def made_anew(cluster: Cluster, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What would come of deleting the object and creating it as `body`.

    Tried out under another name, because its own is taken. Raises ClusterError when it is wrong in itself: better
    now than when the old one is gone.
    """
    meta = body["metadata"]
    if body["kind"] in _SINGULAR:
        return body
    trial = _named(meta["name"])
    try:
        after = _try(cluster, body, {**meta, "name": trial}, MANAGER)
    except ClusterForbidden:
        return body
    except ClusterError as error:
        if for_good(error):
            raise
        return body
    settled = answers.settled(after, body)
    own = settled["metadata"].get("labels") or {}
    named = {k: meta["name"] if v == trial else v for k, v in own.items()}
    return {**settled, "metadata": {**settled["metadata"], "name": meta["name"], "labels": named}}


def check_elsewhere(cluster: Cluster, body: Mapping[str, Any], manager: str) -> None:
    """Raises ClusterError when the object is wrong in itself, whatever namespace it will be in.

    What depends on the namespace (rights, policies, quotas) stays unknown until that is there.
    """
    meta = body["metadata"]
    try:
        _try(cluster, body, {**meta, "name": _named(meta["name"]), "namespace": _ELSEWHERE}, manager)
    except ClusterForbidden:
        return
    except ClusterError as error:
        if (error.code == 422 and not error.immutable) or UNTYPED in error.message:
            raise


def _named(name: str) -> str:
    return f"{name[:40].rstrip('-.')}-trial"


def _try(cluster: Cluster, body: Mapping[str, Any], meta: Mapping[str, Any], manager: str) -> Mapping[str, Any]:
    try:
        return cluster.dry_run_apply({**body, "metadata": meta}, manager=manager, force=True)
    except ClusterError as error:  # of the object that it was tried out for, as people know it
        error.message = error.message.replace(meta["name"], body["metadata"]["name"])
        error.args = (error.message,)
        raise


def for_good(error: ClusterError) -> bool:
    """No other day will bring another answer: the object is wrong, or a policy forbids it."""
    if "does not support dry run" in error.message:  # the API server's words about webhooks with side effects
        return False
    return error.code in {400, 404, 409, 422} or any(words in error.message for words in _FINAL)


UNTYPED = "failed to create typed patch object"  # a 500: unknown or wrong fields in a server-side apply
_FINAL = ("denied the request", UNTYPED)  # the first: webhooks that say no (403)
