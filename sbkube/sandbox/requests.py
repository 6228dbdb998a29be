"""One resource request as a value, and what the API makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from sbkube.sandbox import bodies, lists, subresources
from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import bad_request, method_not_allowed, path_not_found
from sbkube.sandbox.watch import Wanted

Json = dict[str, Any]
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
            if self.query.get("watch") in ("true", "1"):
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
        """The write options of the query. Raises StatusError 400."""
        if self.query.get("dryRun", "All") not in ("All", ""):
            raise bad_request(f"invalid dryRun: {self.query['dryRun']}")
        manager = self.query.get("fieldManager") or self.agent.partition("/")[0] or "unknown"
        return Options(
            manager=manager,
            dry_run=self.dry_run,
            force=self.query.get("force") in ("true", "1"),
            validation=self.query.get("fieldValidation") or "Warn",
        )


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
    if target.subresource:
        return _subresource(api, ask)
    if verb not in target.kind.verbs and not (verb == "watch" and target.name):
        raise method_not_allowed()
    return _VERBS[verb](api, ask)


def _get(api: Api, ask: Request) -> Answer:
    target = ask.target
    return Answer(lists.presented(target.kind, api.get(target.kind, target.namespace, target.name), ask.accept))


def _list(api: Api, ask: Request) -> Answer:
    return Answer(lists.answer(api, ask.target, ask.query, ask.accept))


def _create(api: Api, ask: Request) -> Answer:
    target, options = ask.target, ask.options()
    if target.name:
        raise method_not_allowed()
    obj = _object(ask)
    if target.kind.verbs == ("create",):
        return Answer(subresources.review(target.kind, obj), 201)
    made = api.create(target.kind, target.namespace, obj, options)
    return Answer(lists.presented(target.kind, made, ask.accept), 201, warnings=options.warnings)


def _object(ask: Request) -> Json:
    obj = bodies.read_object(ask.content_type, ask.body)
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    kind = ask.target.kind
    sent = (obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind)
    if not ask.target.subresource and sent != (kind.api_version, kind.kind):
        raise bad_request(f"{sent[1]} in version {sent[0]!r} cannot be handled as a {kind.kind}".replace("'", '"'))
    return obj


def _update(api: Api, ask: Request) -> Answer:
    target, options = ask.target, ask.options()
    found = api.update(target.kind, target.namespace, target.name, _object(ask), options, target.subresource)
    return Answer(lists.presented(target.kind, found, ask.accept), warnings=options.warnings)


def _patch(api: Api, ask: Request) -> Answer:
    target, options = ask.target, ask.options()
    how, body = bodies.read_patch(ask.content_type, ask.body, target.kind.custom)
    if how == "apply" and not ask.query.get("fieldManager"):
        raise subresources.needs_manager()
    found, created = api.patch(target.kind, target.namespace, target.name, how, body, options, target.subresource)
    body = lists.presented(target.kind, found, ask.accept)
    return Answer(body, 201 if created else 200, warnings=options.warnings)


def _deletion(ask: Request) -> Deletion:
    body = bodies.read_object(ask.content_type, ask.body) if ask.body else {}
    return Deletion.of(body if isinstance(body, dict) else {}, ask.query)


def _delete(api: Api, ask: Request) -> Answer:
    target = ask.target
    obj, gone = api.delete(target.kind, target.namespace, target.name, _deletion(ask))
    if not gone or target.kind.kind == "Pod":
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
    special = subresources.SPECIAL.get(sub.name)
    if special is not None:
        obj: Any = None
        how = ""
        if ask.verb == "patch":
            how, obj = bodies.read_patch(ask.content_type, ask.body, target.kind.custom)
        elif ask.body:
            obj = _object(ask)
        found = special(api, target, ask.verb, how, obj, ask.options())
        if isinstance(found, str):
            return Answer(found.encode(), content_type="text/plain")
        return Answer(found, 201 if ask.verb == "create" else 200)
    return _VERBS[ask.verb](api, ask)


def wanted(api: Api, ask: Request) -> Wanted:
    """What a watch request asks for. Raises StatusError."""
    return lists.wanted(api, ask.target, ask.query)


@dataclass(slots=True)
class EventRenderer:
    """Turns watch events into lines."""

    render: Callable[[Json], Any]
    content_type: str = "application/json"

    def __call__(self, what: str, obj: Json) -> bytes:
        shown = obj if what == "BOOKMARK" else self.render(obj)
        return orjson.dumps({"type": what, "object": shown}) + b"\n"


def event_renderer(api: Api, ask: Request) -> EventRenderer:
    """How this client wants its events."""
    kind = ask.target.kind
    return EventRenderer(lambda obj: lists.presented(kind, obj, ask.accept))
