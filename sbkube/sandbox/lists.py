"""Lists, selections and the forms in which objects are shown (as they are, metadata only, tables)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sbkube.sandbox import gojson, options, selectors, tables
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.negotiation import accepted
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import StatusError, bad_request, expired
from sbkube.sandbox.watch import Wanted

Json = dict[str, Any]


def matcher(target: Target, query: Mapping[str, str]) -> Callable[[Json], bool] | None:
    """The selection of label and field selectors; None when everything is selected. Raises StatusError 400."""
    kind = target.kind
    try:
        label = query.get("labelSelector") and selectors.parse_label_selector(query["labelSelector"])
        text = query.get("fieldSelector")
        field = selectors.parse_field_selector(text, kind.group, kind.kind) if text else None
    except selectors.SelectorError as error:
        raise bad_request(str(error)) from None
    name = target.name
    if not label and not field and not name:
        return None

    def matches(obj: Json) -> bool:
        metadata = obj["metadata"]
        if name and metadata["name"] != name:
            return False
        if label and not label.matches(metadata.get("labels") or {}):
            return False
        return not field or field.matches(obj)

    return matches


def selected(api: Api, target: Target, query: Mapping[str, str]) -> list[Json]:
    """The objects that a collection request means."""
    matches = matcher(target, query)
    found = api.list(target.kind, target.namespace)
    return found if matches is None else [o for o in found if matches(o)]


def as_list(kind: Kind, items: list[Json], rv: int, more: Json | None = None) -> Json:
    """A list object."""
    shown = (
        items if kind.custom else [{k: v for k, v in i.items() if k not in ("apiVersion", "kind")} for i in items]
    )
    metadata: Json = {"resourceVersion": str(rv), **(more or {})}
    if kind.custom:
        metadata.setdefault("continue", "")
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": shown}


def answer(api: Api, target: Target, query: Mapping[str, str], accept: str) -> Json:
    """A whole list answer: selection, page, form. Raises StatusError."""
    options.check_listing(query, watching=False)
    asked, rv, after = options.version(query), api.store.rv, ("", "")
    if query.get("continue"):
        if query.get("resourceVersion", "0") != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        rv, after = _continued(query["continue"])
    elif asked is not None and asked > rv:
        raise too_large_version(asked, rv)
    elif asked and query.get("resourceVersionMatch") == "Exact":
        rv = asked
    matches = matcher(target, query)
    items = api.list(target.kind, target.namespace) if rv == api.store.rv else _as_of(api, target, rv)
    if matches is not None:
        items = [o for o in items if matches(o)]
    page, more = _page(items, after, rv, query)
    _, shape = accepted(accept)
    if shape == "Table":
        return _table(target.kind, page, str(rv), more, query.get("includeObject", ""))
    if shape == "PartialObjectMetadataList":
        return {"kind": shape, "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(rv), **more},
                "items": [_partial(o) for o in page]}  # fmt: skip
    return as_list(target.kind, page, rv, more)


def _as_of(api: Api, target: Target, rv: int) -> list[Json]:
    """The collection as it was. Raises StatusError 410 when that is no longer known."""
    if rv < api.store.oldest:
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new "
            "list without the continue parameter, or use the continue token in this response to retrieve the "
            "remainder of the results. Continuing with the provided token results in an inconsistent list - "
            "objects that were created, modified, or deleted between the time the first chunk was returned and "
            "now may show up in the list."
        )
    found = api.store.as_of(target.kind.store_key, target.namespace, rv)
    return [api.shown(target.kind, obj) for _, obj in found]


def _page(items: list[Json], after: tuple[str, str], rv: int, query: Mapping[str, str]) -> tuple[list[Json], Json]:
    """The items of this page, and what the list's metadata says of the rest."""
    start = 0
    if after != ("", ""):
        keys = [(o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in items]
        start = next((n for n, k in enumerate(keys) if k > after), len(items))
    limit = options.number(query, "limit")
    page = items[start : start + limit] if limit > 0 else items[start:]
    left = len(items) - start - len(page)
    if left <= 0:
        return page, {}
    last = page[-1]["metadata"]
    token = {"v": "meta.k8s.io/v1", "rv": rv, "start": f"{last.get('namespace', '')}/{last['name']}"}
    more: Json = {"continue": base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")}
    if not query.get("labelSelector") and not query.get("fieldSelector"):
        more["remainingItemCount"] = left
    return page, more


def _continued(token: str) -> tuple[int, tuple[str, str]]:
    """The resource version and the last key of a `continue` token. Raises StatusError 400."""
    prefix = "invalid continue token: continue key is not valid: "
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        wrong = next(
            (n for n, c in enumerate(token) if not (c.isascii() and (c.isalnum() or c in "-_"))), len(token)
        )
        raise bad_request(f"{prefix}illegal base64 data at input byte {wrong}") from None
    try:
        read = orjson.loads(raw)
        namespace, name = read["start"].split("/", 1)
        return int(read["rv"]), (namespace, name)
    except orjson.JSONDecodeError:
        raise bad_request(prefix + gojson.syntax_error(raw)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise bad_request(prefix + "incorrect encoded start key") from None


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def presented(kind: Kind, obj: Json, accept: str, include: str = "") -> Any:
    """One object in the form the client accepts; `include`: what the rows of a table carry (`includeObject`)."""
    if "as=" not in accept:
        return obj
    _, shape = accepted(accept)
    if shape == "Table":
        return _table(kind, [obj], obj["metadata"].get("resourceVersion", ""), {}, include)
    if shape == "PartialObjectMetadata":
        return _partial(obj)
    return obj


def _included(obj: Json, include: str) -> Json | None:
    return None if include == "None" else obj if include == "Object" else _partial(obj)


def _table(kind: Kind, items: list[Json], rv: str, more: Json, include: str) -> Json:
    columns = tables.columns(kind)
    rows = [{"cells": tables.cells(kind, o), "object": _included(o, include)} for o in items]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": rv, **more},
            "columnDefinitions": columns, "rows": rows}  # fmt: skip


def too_large_version(asked: int, now: int) -> StatusError:
    """504 for a version that is still to come; clients wait a second and come again."""
    error = StatusError(504, "Timeout", f"Too large resource version: {asked}, current: {now}")
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    error.details = {"causes": [cause], "retryAfterSeconds": 1}
    error.headers["Retry-After"] = "1"
    return error


def wanted(api: Api, target: Target, query: Mapping[str, str]) -> Wanted:
    """What a watch asks for. Raises StatusError."""
    options.check_listing(query, watching=True)
    version = options.version(query)
    if version is not None and version > api.store.rv + 1_000_000:
        raise too_large_version(version, api.store.rv)
    matches = matcher(target, query)
    return Wanted(
        kind=target.kind,
        namespace=target.namespace,
        matches=matches or (lambda _: True),
        version=version or None,
        initial=bool(options.flag(query, "sendInitialEvents")),
        bookmarks=bool(options.flag(query, "allowWatchBookmarks")),
        seconds=float(options.number(query, "timeoutSeconds") or 1800),
    )
