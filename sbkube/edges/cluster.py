"""The Kubernetes API behind `ports.Cluster`: raw JSON in, raw JSON out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import quote

import orjson

from sbkube.edges.access import Access
from sbkube.edges.connection import Connection, Limits, Request, Stream
from sbkube.edges.discovery import Discovery
from sbkube.edges.status import from_event
from sbkube.errors import ClusterError, ClusterForbidden
from sbkube.models.resource import ClusterInfo, ResourceKey, ResourceType
from sbkube.plan.scrub import Scrubber
from sbkube.ports import Json, WatchEvent

APPLY = "application/apply-patch+yaml"  # JSON is YAML; servers before 1.32 know no JSON media type for it
MERGE = "application/merge-patch+json"
STEPS = "application/json-patch+json"
PAGE = 500

Objects: TypeAlias = list[Json]  # inside the class `list` is the verb


def connect(
    access: Access, *, max_connections: int = 16, cache: Path | None = None, limits: Limits | None = None
) -> HttpCluster:
    """The cluster of an access; nothing is sent yet. `cache` is a folder where discovery may be kept.

    Raises ClusterUnreachable when certificates of the access cannot be used.
    """
    return HttpCluster(Connection(access, most=max_connections, limits=limits), cache)


class HttpCluster:
    """`ports.Cluster` over HTTP. Safe for use from several threads."""

    def __init__(self, connection: Connection, cache: Path | None = None) -> None:
        self.connection = connection
        self.access = connection.access
        self._discovery = Discovery(connection, cache)
        self._info: ClusterInfo | None = None
        self._asked: Future[ClusterInfo] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections; running watches end."""
        self.connection.close()

    def info(self) -> ClusterInfo:
        """Name, server, version and UID of the cluster, asked for once.

        Raises ClusterUnreachable, or ClusterForbidden when the namespace `kube-system`, whose UID is the
        cluster's, may not be read.
        """
        with self._lock:
            if self._info is None:
                asked, self._asked = self._asked, None
                self._info = asked.result() if asked else self._ask_info()
            return self._info

    def look_ahead(self) -> None:
        """Begin to ask for `info` while the caller loads what it needs. Errors come to who asks for it next."""
        asked = self._asked = Future()
        threading.Thread(target=self._look_ahead, args=(asked,), name="sbkube-info", daemon=True).start()

    def _look_ahead(self, asked: Future[ClusterInfo]) -> None:
        try:
            asked.set_result(self._ask_info())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks
            asked.set_exception(error)

    def _ask_info(self) -> ClusterInfo:
        version = self._json(Request("GET", "/version"))
        system = self._json(Request("GET", "/api/v1/namespaces/kube-system", subject="Namespace/kube-system"))
        git = str(version.get("gitVersion", ""))
        return ClusterInfo(
            name=self.access.cluster or self.access.server,
            server=self.access.server,
            context=self.access.context,
            version=git,
            uid=str(system["metadata"]["uid"]),
            user=self._user(),
            sandbox=git.endswith("+sandbox"),
        )

    def _user(self) -> str:
        """Who the server thinks we are (1.28 and later), else the kubeconfig's name for us."""
        body = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        try:
            review = self._json(Request("POST", path, body))
        except (ClusterError, ClusterForbidden):
            return self.access.user
        user = (review.get("status") or {}).get("userInfo") or {}
        return str(user.get("username") or self.access.user)

    def resource_type(self, api_version: str, kind: str) -> ResourceType | None:
        """The kind as discovery describes it (cached; asked again once when missing), or None."""
        return self._discovery.find(api_version, kind)

    def api_versions(self) -> tuple[str, ...]:
        """All served `group/version` and `group/version/Kind`, sorted."""
        return self._discovery.served()

    def get(self, key: ResourceKey) -> Json | None:
        """The live object or None. A missing kind or namespace is None too."""
        kind = self._discovery.find(key.api_version, key.kind)
        if kind is None:
            return None
        try:
            return self._json(Request("GET", _path(kind, key.namespace, key.name), subject=key))
        except ClusterError as error:
            if error.not_found:
                return None
            raise

    def list(self, kind: ResourceType, namespace: str = "", *, labels: str = "", fields: str = "") -> Objects:
        """All live objects of a kind (of all namespaces when empty), with `apiVersion` and `kind` filled in."""
        query = _query(labelSelector=labels, fieldSelector=fields)
        path = _path(kind, namespace)
        try:
            items = self._pages(path, query, kind)
        except ClusterError as error:
            if error.not_found:  # the kind itself went away: nothing of it is there
                return []
            if error.code != 410:
                raise
            # The pages took longer than the server keeps old versions: ask for all at once.
            items = self._json(Request("GET", f"{path}?{query}", subject=kind.kind)).get("items") or []
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in items]

    def _pages(self, path: str, query: str, kind: ResourceType) -> Objects:
        items: Objects = []
        token = ""
        while True:
            more = f"limit={PAGE}" + (f"&continue={quote(token, safe='')}" if token else "")
            page = self._json(Request("GET", f"{path}?{more}&{query}".rstrip("&"), subject=kind.kind))
            items += page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    def dry_run_apply(self, body: Mapping[str, Any], *, manager: str, force: bool) -> Json:
        """Server-side dry run of `apply`: the object as it would be stored."""
        return self._apply(body, manager, force, "&dryRun=All")

    def apply(self, body: Mapping[str, Any], *, manager: str, force: bool) -> Json:
        """Server-side apply with strict field validation.

        It is sent again after a lost answer, for applying twice changes nothing. With a `resourceVersion` in the
        body the second try may meet its own first: then the conflict (409) wants the object to be read.
        """
        return self._apply(body, manager, force, "")

    def _apply(self, body: Mapping[str, Any], manager: str, force: bool, more: str) -> Json:
        key = ResourceKey.of(body)
        query = f"fieldManager={quote(manager)}&fieldValidation=Strict&force={'true' if force else 'false'}{more}"
        path = f"{_path(self._type(key), key.namespace, key.name)}?{query}"
        try:
            return self._json(Request("PATCH", path, _bytes(body, key), APPLY, subject=key))
        except ClusterError as error:
            clean = _clean(error, body)
            raise _replaced(clean) or clean from None

    def create(self, body: Mapping[str, Any], *, manager: str) -> Json:
        """Create; 409 AlreadyExists when it is there. A lost answer is ClusterUnreachable: read to find out."""
        key = ResourceKey.of(body)
        path = f"{_path(self._type(key), key.namespace)}?fieldManager={quote(manager)}&fieldValidation=Strict"
        try:
            return self._json(Request("POST", path, _bytes(body, key), repeatable=False, subject=key))
        except ClusterError as error:
            raise _clean(error, body) from None

    def merge(self, key: ResourceKey, patch: Mapping[str, Any], *, manager: str) -> Json:
        """JSON merge patch of one object (RFC 7396); never creates."""
        path = f"{_path(self._type(key), key.namespace, key.name)}?fieldManager={quote(manager)}"
        return self._json(Request("PATCH", path, _bytes(patch, key), MERGE, subject=key))

    def patch(self, key: ResourceKey, steps: Sequence[Json], *, manager: str) -> Json:
        """JSON patch of one object (RFC 6902); never creates. Not sent again when the answer was lost."""
        return self._steps(key, steps, f"fieldManager={quote(manager)}", repeatable=False)

    def dry_run_patch(self, key: ResourceKey, steps: Sequence[Json], *, manager: str) -> Json:
        """Server-side dry run of `patch`."""
        return self._steps(key, steps, f"fieldManager={quote(manager)}&dryRun=All", repeatable=True)

    def _steps(self, key: ResourceKey, steps: Sequence[Json], query: str, *, repeatable: bool) -> Json:
        path = f"{_path(self._type(key), key.namespace, key.name)}?{query}"
        body = orjson.dumps(steps, default=_plain)
        return self._json(Request("PATCH", path, body, STEPS, repeatable=repeatable, subject=key))

    def delete(self, key: ResourceKey, *, uid: str = "", propagation: str = "Background") -> None:
        """Delete if the uid matches (else 409); an object that is already gone is no error."""
        kind = self._discovery.find(key.api_version, key.kind)
        if kind is None:
            return
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        path = _path(kind, key.namespace, key.name)
        try:
            # Without a uid a second try could hit a successor of the same name.
            self.connection.request(
                Request("DELETE", path, orjson.dumps(options), repeatable=bool(uid), subject=key)
            )
        except ClusterError as error:
            if not error.not_found:
                raise

    def watch(
        self,
        kind: ResourceType,
        namespace: str,
        *,
        resource_version: str = "",
        fields: str = "",
        timeout: float = 60,
    ) -> Iterator[WatchEvent]:
        """Events until `timeout` seconds have passed or the server or the connection ends.

        A 410 raises ClusterError(code=410): list again. Closing the cluster ends it from another thread.
        """
        deadline = time.monotonic() + timeout
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            timeoutSeconds=str(max(1, math.ceil(timeout))),
            resourceVersion=resource_version,
            fieldSelector=fields,
        )
        stream = self.connection.stream(
            Request("GET", f"{_path(kind, namespace)}?{query}", subject=kind.kind), timeout
        )
        try:
            yield from _events(stream, deadline, kind)
        finally:
            self.connection.end(stream)

    def logs(self, namespace: str, pod: str, container: str, *, tail: int = 20, previous: bool = False) -> str:
        """The last lines of a container's log, or an empty text when there is none or we may not read it."""
        query = _query(container=container, tailLines=str(tail), previous="true" if previous else "")
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log?{query}"
        try:
            answer = self.connection.request(Request("GET", path, accept="*/*"))
        except (ClusterError, ClusterForbidden):
            return ""
        return answer.body.decode("utf-8", "replace")

    def _type(self, key: ResourceKey) -> ResourceType:
        kind = self._discovery.find(key.api_version, key.kind)
        if kind is None:
            raise ClusterError(
                f'the cluster serves no kind "{key.kind}" in {key.api_version or "an empty apiVersion"}',
                code=404,
                reason="NotFound",
                subject=str(key),
                hint="install its CustomResourceDefinition first, or correct apiVersion and kind",
            )
        return kind

    def _json(self, request: Request) -> Json:
        answer = self.connection.request(request)
        try:
            return cast(Json, orjson.loads(answer.body))
        except ValueError as error:
            raise ClusterError(
                f"{self.access.server} answered with something that is not JSON",
                code=answer.status,
                subject=None if request.subject is None else str(request.subject),
                hint="is this the API server's URL, without a login page before it?",
            ) from error


def _path(kind: ResourceType, namespace: str, name: str = "") -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    where = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    return f"{root}{where}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")


def _query(**parts: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items() if value)


def _bytes(body: Mapping[str, Any], key: ResourceKey) -> bytes:
    try:
        return orjson.dumps(body, default=_plain)
    except TypeError as error:
        raise ClusterError(f"cannot be written as JSON: {error}", code=400, subject=str(key)) from error


def _clean(error: ClusterError, body: Mapping[str, Any]) -> ClusterError:
    """A refusal that quotes no value of the Secret that it refuses; webhooks like to quote."""
    Scrubber.of_object(body).refusal(error)
    return error


def _replaced(error: ClusterError) -> ClusterError | None:
    """A precondition on the uid that failed, which API servers call an immutable field (422), as the 409 it is."""
    if error.code != 422 or {field for field, _ in error.causes} != {"metadata.uid"}:
        return None
    return ClusterError(
        "it was deleted and created again by somebody (another uid)",
        code=409,
        reason="Conflict",
        subject=error.subject,
        hint="plan again",
    )


def _plain(value: object) -> object:
    """Read-only mappings and other sequences as JSON knows them."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _events(stream: Stream, deadline: float, kind: ResourceType) -> Iterator[WatchEvent]:
    try:
        for line in stream.lines:
            event = orjson.loads(line)
            if event["type"] == "ERROR":
                raise from_event(event["object"], kind.kind)
            yield WatchEvent(event["type"], event["object"])
            left = deadline - time.monotonic()
            if left <= 0:
                return
            stream.wire.wait_at_most(left)
    except (OSError, ValueError):
        # The time is over, or the connection was cut in mid line: in both cases the watch has ended.
        return
