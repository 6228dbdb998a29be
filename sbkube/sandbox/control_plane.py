"""The API as the simulated controllers see it: `controllers.cluster.Cluster` over `api.Api`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.scale import scale
from sbkube.sandbox.status import StatusError, path_not_found, server_error
from sbkube.sandbox.subresources import finalized

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.cluster import Key

Json = dict[str, Any]
MANAGER = "sandbox-controller"


class ApiCluster:
    """Reads and writes of the controllers; their field manager is `sandbox-controller`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def _kind(self, group: str, kind: str) -> Kind | None:
        found = [k for k in self._api.registry if k.group == group and k.kind == kind]
        stored = [k for k in found if not k.storage[2] or k.storage == k.gvk]
        return stored[0] if stored else found[0] if found else None

    def get(self, key: Key) -> Json | None:
        """The stored object, or None."""
        kind = self._kind(key.group, key.kind)
        return self._api.store.get(kind.store_key, key.namespace, key.name) if kind else None

    def everything(self) -> Iterable[Json]:
        """All stored objects."""
        store = self._api.store
        return [obj for resource in store.resources() for _, obj in store.items(resource)]

    def subscribe(self, listener: Callable[[str, Json], None]) -> None:
        """Calls `listener(ADDED|MODIFIED|DELETED, object)` for each write from now on."""
        self._api.store.listen(lambda event: listener(event.what, event.new))

    async def _flushed(self) -> None:
        """Waits for the disk; a full one is an answer like others, after which controllers try again."""
        try:
            await self._api.store.flushed()
        except sqlite3.Error as error:
            raise server_error(f"the store cannot be written: {error}") from None

    def _served(self, obj: Json) -> Kind:
        found = self._api.registry.by_kind(obj["apiVersion"], obj["kind"])
        if found is None:
            raise path_not_found()
        return found

    async def create(self, obj: Json) -> Json:
        """Creates; the answer is the stored object."""
        kind = self._served(obj)
        made = self._api.create(
            kind, obj["metadata"].get("namespace", ""), obj, Options(MANAGER, validation="Ignore")
        )
        await self._flushed()
        return made

    async def update(self, obj: Json, subresource: str = "") -> Json:
        """Replaces the object or its `status` or `finalize`; an outdated resourceVersion is a conflict."""
        kind, metadata = self._served(obj), obj["metadata"]
        if subresource == "finalize":
            made = finalized(self._api, kind, metadata["name"], (obj.get("spec") or {}).get("finalizers") or [])
        else:
            options = Options(MANAGER, validation="Ignore")
            space = metadata.get("namespace", "")
            made = self._api.update(kind, space, metadata["name"], obj, options, subresource)
        await self._flushed()
        return made

    async def scale(self, key: Key, replicas: int) -> None:
        """Sets the number of replicas through the scale subresource."""
        kind = self._kind(key.group, key.kind)
        if kind is None or kind.subresource("scale") is None:
            raise path_not_found()
        target = Target(kind, key.namespace, key.name, "scale")
        scale(self._api, target, "update", "", {"spec": {"replicas": replicas}}, Options(MANAGER))
        await self._flushed()

    async def delete(
        self, key: Key, uid: str, *, propagation: str = "Background", grace: int | None = None
    ) -> None:
        """Deletes if it still has this uid; what is gone already is no error."""
        kind = self._kind(key.group, key.kind)
        if kind is None:
            return
        try:
            self._api.delete(
                kind, key.namespace, key.name, Deletion(propagation=propagation, grace=grace, uid=uid)
            )
        except StatusError as error:
            if error.code not in (404, 409):
                raise
        await self._flushed()
