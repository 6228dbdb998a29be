"""Controllers on the API of the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.controllers.cluster import Json, Key
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.status import StatusError

if TYPE_CHECKING:
    from sbkube.sandbox.api import Api
    from sbkube.sandbox.store import Event

MANAGER = "sandbox-controller"


class ApiCluster:
    """A `Cluster` over one Api; writes return once they are on disk."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._generation = -1

    def _kind(self, group: str, kind: str) -> Kind | None:
        registry = self._api.registry
        if self._generation != registry.generation:
            # What is stored wins over other versions of the same kind.
            self._kinds = {}
            for found in registry:
                if found.storage[2] in ("", found.kind) and (not found.storage[2] or found.storage == found.gvk):
                    self._kinds.setdefault((found.group, found.kind), found)
            self._generation = registry.generation
        return self._kinds.get((group, kind))

    def get(self, key: Key) -> Json | None:
        """See Cluster."""
        kind = self._kind(key.group, key.kind)
        return None if kind is None else self._api.store.get(kind.store_key, key.namespace, key.name)

    def everything(self) -> Iterable[Json]:
        """See Cluster."""
        for resource in self._api.store.resources():
            for _, obj in self._api.store.items(resource):
                yield obj

    def subscribe(self, listener: Callable[[str, Json], None]) -> None:
        """See Cluster."""

        def tell(event: Event) -> None:
            listener(event.what, event.new)

        self._api.store.listen(tell)

    def _named(self, obj: Json) -> Kind:
        kind = self._kind(obj["apiVersion"].rpartition("/")[0], obj["kind"])
        if kind is None:
            raise StatusError(404, "NotFound", f"no kind {obj['kind']}")
        return kind

    async def create(self, obj: Json) -> Json:
        """See Cluster."""
        namespace = obj["metadata"].get("namespace", "")
        made = self._api.create(self._named(obj), namespace, obj, Options(manager=MANAGER))
        await self._api.store.flushed()
        return made

    async def update(self, obj: Json, subresource: str = "") -> Json:
        """See Cluster."""
        from sbkube.sandbox import subresources

        meta, kind = obj["metadata"], self._named(obj)
        if subresource == "finalize":
            done = subresources.finalized(self._api, kind, meta["name"], obj["spec"].get("finalizers") or [])
        else:
            options = Options(manager=MANAGER)
            done = self._api.update(kind, meta.get("namespace", ""), meta["name"], obj, options, subresource)
        await self._api.store.flushed()
        return done

    async def delete(
        self, key: Key, uid: str, *, propagation: str = "Background", grace: int | None = None
    ) -> None:
        """See Cluster."""
        kind = self._kind(key.group, key.kind)
        if kind is None or self.get(key) is None:
            return
        self._api.delete(kind, key.namespace, key.name, Deletion(propagation=propagation, grace=grace, uid=uid))
        await self._api.store.flushed()
