"""One resource request as a value, and what the API makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from sbkube.sandbox import bodies, lists, logs, options, subresources
from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.negotiation import accepted, check_kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import StatusError, method_not_allowed, path_not_found, warning
from sbkube.sandbox.watch import Wanted

Json = dict[str, Any]
# Kinds whose deletion answers with the object (`ReturnDeletedObject`), by group.
_RETURNED = {
    "": {"PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ResourceQuota", "Service",
         "ServiceAccount"},
    "storage.k8s.io": {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
}  # fmt: skip
_METHODS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(slots=True)
class Request:
    """A request for a resource, without its transport."""

    target: Target
    method: str
    query: dict[str, str]
    accept: str = ""
    content_type: str = ""
    agent: str = ""
    body: bytes = b""

    @property
    def verb(self) -> str:
        """The API's verb: get, list, watch, create, update, patch, delete or deletecollection."""
        if self.method == "GET":
            if self.target.watching or options.flag(self.query, "watch"):
                return "watch"
            return "get" if self.target.name else "list"
        if self.method == "DELETE":
            return "delete" if self.target.name else "deletecollection"
        return _METHODS.get(self.method, "")

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be stored."""
        return bool(self.query.get("dryRun"))

    def options(self) -> Options:
        """The write options of the query. Raises StatusError 422."""
        applies = self.verb == "patch" and self.content_type.startswith("application/apply-patch")
        return options.writing(self.verb, self.query, self.agent, applies)


@dataclass(slots=True)
class Answer:
    """What goes back."""

    body: Any
    code: int = 200
    content_type: str = "application/json"
    warnings: list[str] = field(default_factory=list)


def carry_out(api: Api, ask: Request) -> Answer:
    """Does what the request asks. Raises StatusError."""
    target, verb = ask.target, ask.verb
    accepted(ask.accept)
    if target.subresource:
        return _subresource(api, ask)
    if verb in ("update", "patch") and not target.name:
        raise method_not_allowed()
    if verb not in target.kind.verbs and not (verb == "watch" and target.name):
        raise method_not_allowed()
    if verb in ("update", "patch") and not target.name:
        raise method_not_allowed()
    return _VERBS[verb](api, ask)


def _get(api: Api, ask: Request) -> Answer:
    target = ask.target
    obj = api.get(target.kind, target.namespace, target.name)
    return Answer(lists.presented(target.kind, obj, ask.accept, ask.query.get("includeObject", "")))


def _list(api: Api, ask: Request) -> Answer:
    return Answer(lists.answer(api, ask.target, ask.query, ask.accept))


def _create(api: Api, ask: Request) -> Answer:
    target, how = ask.target, ask.options()
    if target.name:
        raise method_not_allowed()
    obj = _object(api, ask, how)
    if target.kind.verbs == ("create",):
        return Answer(subresources.review(target.kind, obj), 201)
    made = api.create(target.kind, target.namespace, obj, how)
    return Answer(lists.presented(target.kind, made, ask.accept), 201, warnings=how.warnings)


def _object(api: Api, ask: Request, how: Options) -> Json:
    """The object of the body, which has to be of the kind that the path names."""
    kind = ask.target.kind
    obj = bodies.read_object(ask.content_type, ask.body, kind.kind)
    if not ask.target.subresource or ask.target.subresource == "status":
        try:
            check_kind(api.registry, kind, obj)
        except StatusError as error:
            _warn_unknown(kind, obj, how, error)
            raise
        if how.validation != "Ignore":
            how.repeated = bodies.twice(ask.content_type, ask.body, obj)
    return obj


def _warn_unknown(kind: Kind, obj: Json, how: Options, error: StatusError) -> None:
    """A version without a schema has no fields: all that a custom resource in it has is told to be unknown."""
    if kind.custom and how.validation == "Warn" and obj.get("kind") == kind.kind:
        unknown = [f'unknown field "{k}"' for k in obj if k not in ("apiVersion", "kind", "metadata")]
        if unknown:
            error.headers["Warning"] = ", ".join(map(warning, unknown))


def _update(api: Api, ask: Request) -> Answer:
    target, how = ask.target, ask.options()
    obj = _object(api, ask, how)
    missing = api.find(target.kind, target.namespace, target.name) is None
    found = api.update(target.kind, target.namespace, target.name, obj, how, target.subresource)
    body = lists.presented(target.kind, found, ask.accept)
    return Answer(body, 201 if missing else 200, warnings=how.warnings)


def _patch(api: Api, ask: Request) -> Answer:
    target, custom = ask.target, ask.target.kind.custom
    how, body = bodies.read_patch(ask.content_type, ask.body, custom)
    opts = ask.options()
    found, created = api.patch(target.kind, target.namespace, target.name, how, body, opts, target.subresource)
    body = lists.presented(target.kind, found, ask.accept)
    return Answer(body, 201 if created else 200, warnings=opts.warnings)


def _deletion(ask: Request) -> Deletion:
    return options.deleting(bodies.read_object(ask.content_type, ask.body) if ask.body else {}, ask.query)


def _delete(api: Api, ask: Request) -> Answer:
    target = ask.target
    obj, gone = api.delete(target.kind, target.namespace, target.name, _deletion(ask))
    if not gone or target.kind.kind in _RETURNED.get(target.kind.group, ()):
        return Answer(obj)
    return Answer(subresources.deleted(target.kind, obj))


def _delete_collection(api: Api, ask: Request) -> Answer:
    target, how = ask.target, _deletion(ask)
    found = lists.selected(api, target, ask.query)
    for obj in found:
        api.delete(target.kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], how)
    return Answer(lists.as_list(target.kind, found, api.store.rv))


_VERBS: dict[str, Callable[[Api, Request], Answer]] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
    "watch": _get,
}


def _subresource(api: Api, ask: Request) -> Answer:
    target = ask.target
    sub = target.kind.subresource(target.subresource)
    if sub is None:
        raise path_not_found()
    if ask.verb not in sub.verbs:
        raise method_not_allowed()
    if sub.name == "log":
        return Answer(logs.text(api, target, ask.query), content_type="text/plain")
    special = subresources.SPECIAL.get(sub.name)
    if special is not None:
        obj: Any = None
        how = ""
        if ask.verb == "patch":
            how, obj = bodies.read_patch(ask.content_type, ask.body, target.kind.custom)
        elif ask.body:
            obj = bodies.read_object(ask.content_type, ask.body, sub.kind)
        found = special(api, target, ask.verb, how, obj, ask.options())
        return Answer(found, 201 if ask.verb == "create" else 200)
    return _VERBS[ask.verb](api, ask)


def wanted(api: Api, ask: Request) -> Wanted:
    """What a watch request asks for. Raises StatusError."""
    accepted(ask.accept)
    return lists.wanted(api, ask.target, ask.query)


@dataclass(slots=True)
class EventRenderer:
    """Turns watch events into lines; a table names its columns once."""

    render: Callable[[Json], Any]
    table: bool = False
    content_type: str = "application/json"
    _started: bool = False

    def __call__(self, what: str, obj: Json) -> bytes:
        shown = obj if what == "BOOKMARK" else self.render(obj)
        if self.table and what != "BOOKMARK":
            if self._started:
                shown["columnDefinitions"] = None
            self._started = True
        return orjson.dumps({"type": what, "object": shown}) + b"\n"


def event_renderer(api: Api, ask: Request) -> EventRenderer:
    """How this client wants its events."""
    kind, include = ask.target.kind, ask.query.get("includeObject", "")
    table = accepted(ask.accept)[1] == "Table"
    return EventRenderer(lambda obj: lists.presented(kind, api.shown(kind, obj), ask.accept, include), table)
