"""Plans as they are stored: one blob for the plan, one for each app, and bodies by reference.

An app's objects are listed once for all plans that have the same ones (its roster), so that a plan in which little
changes takes little space. Bodies are shared with the rows of the operations; images of changes are left out, for
each operation keeps its own before and after. Only Helm actions have no rows for their objects before they have
ended: the images from before are kept with the plan, so that a run that was cut off can be settled and undone. An
app that holds anything sensitive is encrypted as a whole, because its field changes and notes may repeat it; its
roster is not, for names of objects are no secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from sbkube.errors import StateError
from sbkube.models.plan import AppPlan, Effect, Plan
from sbkube.models.plan_json import Body, app_from_json, app_to_json, header_from_json, header_to_json
from sbkube.state.blobs import BlobBatch, BlobStore, image, object_identity
from sbkube.state.tables import NOT_KEPT

REFERENCE = "blob"
FEW = 8  # so many objects that nothing happens to are not worth a blob of their own


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
        document = app_to_json(app, keep)
        if batch.store.key is not None or not sensitive:
            document = _with_roster(document, batch)
        name = batch.add(document, _app_identity(app.name), sensitive=sensitive)
        apps.append({"name": app.name, REFERENCE: name})
    return batch.add(header_to_json(plan) | {"apps": apps})


def _with_roster(document: dict[str, Any], batch: BlobBatch) -> dict[str, Any]:
    """The plan of an app with what happens to few objects beside the list of all of them."""
    changes = document["changes"]
    told = {
        str(at): change for at, change in enumerate(changes) if change != _idle(change["key"], change["source"])
    }
    if len(changes) - len(told) <= FEW:
        return document
    roster = batch.add([[change["key"], change["source"]] for change in changes])
    return {**document, "changes": {"roster": roster, "told": told}}


def _idle(key: Any, source: Any) -> dict[str, Any]:
    """The change of an object that nothing happens to, as it is stored."""
    nothing: dict[str, Any] = {"before": None, "after": None, "fields": [], "note": ""}
    return {**nothing, "effect": Effect.UNCHANGED.value, "key": key, "source": source}


def _apps(store: BlobStore, conn: Connection, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Plans of apps by blob name, as if each listed its objects itself, and the rosters that they name.

    What cannot be decrypted here is left out.
    """
    found = store.load(conn, names)
    short = [document for document in found.values() if isinstance(document["changes"], Mapping)]
    rosters = store.load(conn, {document["changes"]["roster"]: "" for document in short})
    for document in short:
        told, entries = document["changes"]["told"], rosters[document["changes"]["roster"]]
        document["changes"] = [told.get(str(at)) or _idle(*entry) for at, entry in enumerate(entries)]
    return found, list(rosters)


def load_plan(conn: Connection, store: BlobStore, name: str | None) -> Plan:
    """A stored plan; raises StateError when there is none or a part of it cannot be decrypted here."""
    if name is None:
        raise StateError("this deployment was recorded without a plan")
    header = store.load(conn, {name: ""})[name]
    references = {app[REFERENCE]: _app_identity(app["name"]) for app in header["apps"]}
    apps = _complete(_apps(store, conn, references)[0], references)
    wanted: dict[str, str] = {}
    documents = [apps[app[REFERENCE]] for app in header["apps"]]

    def note(value: Any, body: Body) -> Any:
        wanted[value[REFERENCE]] = _identity(body)
        return value

    for document in documents:
        app_from_json(document, note)
    bodies = _complete(store.load(conn, wanted), wanted)

    def fetch(value: Any, _: Body) -> Any:
        return bodies[value[REFERENCE]]

    return header_from_json(header, tuple(app_from_json(document, fetch) for document in documents))


def references(conn: Connection, store: BlobStore, name: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """(blob, identity) of all parts of a stored plan but its header, and apps that cannot be decrypted here."""
    header = store.load(conn, {name: ""})[name]
    apps = {app[REFERENCE]: _app_identity(app["name"]) for app in header["apps"]}
    documents, rosters = _apps(store, conn, apps)
    found = [(blob, identity) for blob, identity in apps.items() if blob != NOT_KEPT]
    found += [(roster, "") for roster in rosters]

    def note(value: Any, body: Body) -> Any:
        if isinstance(value, Mapping) and value.get(REFERENCE) not in (None, NOT_KEPT):
            found.append((value[REFERENCE], _identity(body)))
        return value

    for document in documents.values():
        app_from_json(document, note)
    hidden = tuple(app["name"] for app in header["apps"] if app[REFERENCE] not in documents)
    return found, hidden


def _complete(found: dict[str, Any], wanted: Mapping[str, str]) -> dict[str, Any]:
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
