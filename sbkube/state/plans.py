"""Plans as they are stored: one blob for the plan, one for each app, and bodies by reference.

Bodies are shared with the rows of the operations; images of changes are left out here, since each operation keeps
its own before and after. Only Helm actions have no rows for their objects before they have ended: the images from
before are kept with the plan, so that a run that was cut off can be settled and undone. An app that holds anything
sensitive is encrypted as a whole, because its field changes and notes may repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from sbkube.errors import StateError
from sbkube.models.plan import AppPlan, Plan
from sbkube.models.plan_json import Body, app_from_json, app_to_json, header_from_json, header_to_json
from sbkube.state.blobs import BlobBatch, BlobStore, image, object_identity
from sbkube.state.tables import NOT_KEPT

REFERENCE = "blob"


def app_is_sensitive(app: AppPlan, store: BlobStore) -> bool:
    """Its plan may repeat something that must not be readable."""
    bodies = [op.desired for op in app.operations]
    bodies += [body for change in app.changes for body in (change.before, change.after)]
    return (
        any(map(store.is_sensitive, bodies))
        or bool(app.release)
        or any(op.sensitive or op.verb.helm for op in app.operations)
        or any(change.key.kind == "Secret" for change in app.changes)
        or any(op.key is not None and op.key.kind == "Secret" for op in app.operations)
    )


def store_plan(plan: Plan, batch: BlobBatch) -> str | None:
    """Put a plan into a batch; returns the blob's name."""

    def keep(value: Any, body: Body) -> Any:
        if body.role == "after" or (body.role == "before" and not body.release):
            return None
        sensitive = batch.store.is_sensitive(value)
        if body.role == "before":
            value = image(value)
        else:
            sensitive = sensitive or body.sensitive
        return {REFERENCE: batch.add(value, _identity(body), sensitive=sensitive)}

    apps = []
    for app in plan.apps:
        sensitive = app_is_sensitive(app, batch.store)
        name = batch.add(app_to_json(app, keep), _app_identity(app.name), sensitive=sensitive)
        apps.append({"name": app.name, REFERENCE: name})
    return batch.add(header_to_json(plan) | {"apps": apps})


def load_plan(conn: Connection, store: BlobStore, name: str | None) -> Plan:
    """A stored plan; raises StateError when there is none or a part of it cannot be decrypted here."""
    if name is None:
        raise StateError("this deployment was recorded without a plan")
    header = store.load(conn, {name: ""})[name]
    references = {app[REFERENCE]: _app_identity(app["name"]) for app in header["apps"]}
    apps = _all_of(store, conn, references)
    wanted: dict[str, str] = {}
    documents = [apps[app[REFERENCE]] for app in header["apps"]]

    def note(value: Any, body: Body) -> Any:
        wanted[value[REFERENCE]] = _identity(body)
        return value

    for document in documents:
        app_from_json(document, note)
    bodies = _all_of(store, conn, wanted)

    def fetch(value: Any, _: Body) -> Any:
        return bodies[value[REFERENCE]]

    return header_from_json(header, tuple(app_from_json(document, fetch) for document in documents))


def references(conn: Connection, store: BlobStore, name: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """(blob, identity) of all parts of a stored plan but its header, and apps that cannot be decrypted here."""
    header = store.load(conn, {name: ""})[name]
    apps = {app[REFERENCE]: _app_identity(app["name"]) for app in header["apps"]}
    documents = store.load(conn, apps)
    found = [(blob, identity) for blob, identity in apps.items() if blob != NOT_KEPT]

    def note(value: Any, body: Body) -> Any:
        if isinstance(value, Mapping) and value.get(REFERENCE) not in (None, NOT_KEPT):
            found.append((value[REFERENCE], _identity(body)))
        return value

    for document in documents.values():
        app_from_json(document, note)
    hidden = tuple(app["name"] for app in header["apps"] if app[REFERENCE] not in documents)
    return found, hidden


def _all_of(store: BlobStore, conn: Connection, wanted: Mapping[str, str]) -> dict[str, Any]:
    found = store.load(conn, wanted)
    if NOT_KEPT in wanted or len(found) < len(wanted):
        raise StateError(
            "the plan holds sensitive values that cannot be decrypted here",
            hint="set SBKUBE_STATE_KEY to the key it was recorded under",
        )
    return found


def _identity(body: Body) -> str:
    return object_identity(body.key) if body.key else f"release:{body.release}"


def _app_identity(name: str) -> str:
    return f"app:{name}"
