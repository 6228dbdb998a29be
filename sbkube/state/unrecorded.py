"""Outcomes that the database could not take: how they are written to a file, and how they come back into it.

The file names each operation, what came of it, and uid, resource version and revision of what it left. Images are
in it only encrypted under the state key; without one they are lost, and the row says that they were not kept.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, select, update

from sbkube.errors import StateError
from sbkube.models.outcome import ObjectImages, OpState, Outcome
from sbkube.models.release import ReleaseRecord
from sbkube.models.resource import ResourceKey
from sbkube.state import closings, history
from sbkube.state.blobs import canonical
from sbkube.state.intents import IntentWriter
from sbkube.state.packing import compress, decompress
from sbkube.state.secrets import StateKey
from sbkube.state.tables import NOT_KEPT, app_deployments, deployed_resources, helm_releases

if TYPE_CHECKING:
    from sbkube.state.database import DeploymentDatabase

FORMAT = "sbkube/outcomes/v1"
_PURPOSE = "unrecorded outcomes of "


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an import of outcomes did: `left` intents have no outcome in the file, `recover` asks the cluster."""

    deployment: str
    settled: int
    known: int
    left: int


def document(deployment: str, outcomes: Sequence[Outcome], key: StateKey | None) -> dict[str, Any]:
    """The content of the file: nothing in it can be read that must not be."""
    content: dict[str, Any] = {
        "schema": FORMAT,
        "deployment": deployment,
        "outcomes": [_plain(outcome) for outcome in outcomes],
    }
    if key is not None and outcomes:
        packed = compress(canonical({o.operation: _images(o) for o in outcomes}))
        sealed = key.seal(packed, _PURPOSE + deployment)
        content |= {"key_id": key.key_id, "images": base64.b64encode(sealed).decode()}
    return content


def _plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome without images (they may hold secrets), but with what identifies them."""
    after = (outcome.after or {}).get("metadata") or {}
    return {
        "operation": outcome.operation,
        "state": outcome.state.value,
        "started": outcome.started.isoformat(),
        "ended": outcome.ended.isoformat(),
        "reason": outcome.reason,
        "message": outcome.message,
        "uid": after.get("uid"),
        "resource_version": after.get("resourceVersion"),
        "revision": outcome.release.revision if outcome.release else None,
    }


def _images(outcome: Outcome) -> dict[str, Any]:
    return {
        "before": outcome.before,
        "after": outcome.after,
        "release": asdict(outcome.release) if outcome.release else None,
        "previous": asdict(outcome.previous) if outcome.previous else None,
        "objects": [
            {"key": item.key.to_json(), "before": item.before, "after": item.after} for item in outcome.objects
        ],
    }


def read(data: bytes, key: StateKey | None) -> tuple[str, list[Outcome], dict[str, dict[str, Any]]]:
    """(deployment, outcomes, the file's plain form of each by operation). Raises StateError for another file."""
    try:
        content = orjson.loads(data)
        if content["schema"] != FORMAT:
            raise KeyError(content["schema"])
        plain = {item["operation"]: item for item in content["outcomes"]}
        deployment = str(content["deployment"])
        images = _open(content, deployment, key)
        return deployment, [_outcome(item, images.get(name, {})) for name, item in plain.items()], plain
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StateError("the file is damaged, or holds no outcomes; nothing was imported") from error


def _open(content: Mapping[str, Any], deployment: str, key: StateKey | None) -> dict[str, Any]:
    own = key.named(content["key_id"]) if key and "images" in content else None
    if own is None:
        return {}
    packed = own.open(base64.b64decode(content["images"]), _PURPOSE + deployment)
    found: dict[str, Any] = orjson.loads(decompress(packed))
    return found


def _outcome(item: Mapping[str, Any], images: Mapping[str, Any]) -> Outcome:
    return Outcome(
        operation=item["operation"],
        state=OpState(item["state"]),
        started=datetime.fromisoformat(item["started"]),
        ended=datetime.fromisoformat(item["ended"]),
        before=images.get("before"),
        after=images.get("after"),
        reason=item.get("reason") or "",
        message=item.get("message") or "",
        release=_release(images.get("release")),
        previous=_release(images.get("previous")),
        objects=tuple(
            ObjectImages(ResourceKey.from_json(one["key"]), one["before"], one["after"])
            for one in images.get("objects", ())
        ),
    )


def _release(values: Mapping[str, Any] | None) -> ReleaseRecord | None:
    if values is None:
        return None
    return replace(ReleaseRecord(**values), hooks=tuple(values.get("hooks") or ()))


def settle(
    conn: Connection,
    database: DeploymentDatabase,
    key: int,
    outcomes: Sequence[Outcome],
    plain: Mapping[str, Mapping[str, Any]],
) -> Recovered:
    """Close the open intents that the file knows of; others stay open, closed ones stay as they are."""
    record = history.one(conn, key, database.store)
    query = select(app_deployments.c.app_name, app_deployments.c.id)
    found = conn.execute(query.where(app_deployments.c.deployment_id == key))
    writer = IntentWriter(database.store, key, {row.app_name: row.id for row in found})
    waiting = set(writer.open_operations(conn))
    ours = [outcome for outcome in outcomes if outcome.operation in waiting]
    writer.settle(conn, ours)
    for outcome in ours:
        _note_what_was_not_kept(conn, key, outcome, plain[outcome.operation])
    left = len(writer.open_operations(conn))
    if record.status.ended and ours:
        closings.close(conn, key, database.key)
    return Recovered(record.deployment_id, len(ours), len(outcomes) - len(ours), left)


def _note_what_was_not_kept(conn: Connection, key: int, outcome: Outcome, plain: Mapping[str, Any]) -> None:
    """Without its image, what was left is known by uid and resource version, a release by its revision."""
    if outcome.state is not OpState.APPLIED:
        return
    c, r = deployed_resources.c, helm_releases.c
    if outcome.after is None and plain.get("uid"):
        values = {
            "after_blob": NOT_KEPT,
            "uid": plain["uid"],
            "resource_version_after": plain.get("resource_version") or "",
        }
        own = (c.deployment_id == key, c.operation == outcome.operation)
        conn.execute(update(deployed_resources).where(*own).values(**values))
    if outcome.release is None and plain.get("revision"):
        own = (r.deployment_id == key, r.operation == outcome.operation)
        values = {"revision_after": plain["revision"], "after_blob": NOT_KEPT}
        conn.execute(update(helm_releases).where(*own).values(**values))
