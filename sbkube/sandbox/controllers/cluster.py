"""What controllers ask of the API, and an index of who owns what, kept up to date by events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import orjson

Json = dict[str, Any]


class Key(NamedTuple):
    """Which object: `group` without version; `namespace` is empty for cluster-scoped kinds."""

    group: str
    kind: str
    namespace: str
    name: str


class Cluster(Protocol):
    """The API as controllers see it. What is read is shared: copy before changing. Writes raise StatusError."""

    def get(self, key: Key) -> Json | None:
        """The stored object, or None."""
        ...

    def everything(self) -> Iterable[Json]:
        """All stored objects (used once, at start)."""
        ...

    def subscribe(self, listener: Callable[[str, Json], None]) -> None:
        """Calls `listener(ADDED|MODIFIED|DELETED, object)` for each committed write from now on, in order."""
        ...

    async def create(self, obj: Json) -> Json:
        """Creates; the answer is the stored object."""
        ...

    async def update(self, obj: Json, subresource: str = "") -> Json:
        """Replaces the object or its `status` or `finalize`; an outdated resourceVersion is a conflict."""
        ...

    async def scale(self, key: Key, replicas: int) -> None:
        """Sets the number of replicas through the scale subresource."""
        ...

    async def delete(
        self, key: Key, uid: str, *, propagation: str = "Background", grace: int | None = None
    ) -> None:
        """Deletes if it still has this uid; what is gone already is no error."""
        ...


def key_of(obj: Json) -> Key:
    """The key of an object."""
    meta = obj["metadata"]
    return Key(obj["apiVersion"].rpartition("/")[0], obj["kind"], meta.get("namespace", ""), meta["name"])


def copied(obj: Json) -> Json:
    """A deep copy that may be changed."""
    found: Json = orjson.loads(orjson.dumps(obj))
    return found


def controller_of(obj: Json) -> Json | None:
    """The owner reference that says `controller: true`."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Json = reference
            return found
    return None


def owner_reference(owner: Json) -> Json:
    """The reference that a controller writes into what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def terminating(obj: Json) -> bool:
    """Whether it is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


class Index:
    """Who is there, who is owned by whom, and what each namespace holds."""

    def __init__(self) -> None:
        self.uids: dict[str, Key] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._dependents: defaultdict[str, dict[str, Key]] = defaultdict(dict)
        self._namespaces: defaultdict[str, dict[str, Key]] = defaultdict(dict)

    def see(self, event: str, obj: Json) -> None:
        """Takes one event in."""
        meta = obj["metadata"]
        uid = meta.get("uid", "")
        for owner in self._owners.pop(uid, ()):
            self._dependents[owner].pop(uid, None)
        if event == "DELETED":
            self.uids.pop(uid, None)
            self._namespaces[meta.get("namespace", "")].pop(uid, None)
            return
        key = self.uids.get(uid)
        if key is None:
            key = self.uids[uid] = key_of(obj)
            self._namespaces[key.namespace][uid] = key
        references = meta.get("ownerReferences")
        if references:
            self._owners[uid] = tuple(r.get("uid", "") for r in references)
            for owner in self._owners[uid]:
                self._dependents[owner][uid] = key

    def dependents(self, uid: str, kind: str = "") -> list[Key]:
        """What names this uid as an owner, by name."""
        found = self._dependents.get(uid)
        return sorted(k for k in found.values() if not kind or k.kind == kind) if found else []

    def in_namespace(self, namespace: str, kind: str = "") -> Iterator[Key]:
        """What a namespace holds."""
        return iter([k for k in self._namespaces.get(namespace, {}).values() if not kind or k.kind == kind])

    def of_kind(self, kind: str) -> list[Key]:
        """All objects of a kind, everywhere."""
        return [k for k in self.uids.values() if k.kind == kind]
