"""Writers and a watcher that keep book of what a sandbox answered, so that a kill can be audited."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from sbkube.edges.sandbox import Sandbox

Json = dict[str, Any]
GONE = "gone"


class Caller:
    """One connection to the sandbox as it runs now."""

    def __init__(self, sandbox: Sandbox) -> None:
        config = yaml.safe_load(sandbox.kubeconfig().read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        host, port = cluster["server"].removeprefix("https://").split(":")
        trust = ssl.create_default_context(cafile=str(sandbox.folder / "ca.crt"))
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=trust)
        self._headers = {"Authorization": f"Bearer {user['token']}"}

    def __call__(self, method: str, path: str, body: Json | None = None, kind: str = "json") -> tuple[int, Json]:
        """Status and body. Raises OSError or HTTPException when there was no whole answer."""
        headers = {**self._headers, "Content-Type": f"application/{kind}"}
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def lines(self, path: str) -> Iterator[Json]:
        """The events of a watch; ends when the connection does."""
        self._connection.request("GET", path, None, self._headers)
        answer = self._connection.getresponse()
        while line := answer.readline():
            yield json.loads(line)


@dataclass
class Entry:
    """What is known of one object: the last answer, and a request that was sent and never answered."""

    number: int = 0
    version: int = 0
    uid: str = ""
    there: bool = False
    open: str = ""  # "", the number of an apply, or GONE for a deletion


@dataclass
class Writer:
    """Applies and deletes its own ConfigMaps until the connection ends."""

    name: str
    namespace: str
    chance: random.Random
    entries: dict[str, Entry] = field(default_factory=dict)
    highest: int = 0
    answers: int = 0

    def run(self, call: Caller) -> None:
        """Works until there is no answer any more."""
        try:
            while True:
                self._one(call)
        except (OSError, http.client.HTTPException, ValueError):
            return  # killed in the middle: what was open stays open

    def _one(self, call: Caller) -> None:
        name = f"{self.name}-{self.chance.randrange(4)}"
        entry = self.entries.setdefault(name, Entry())
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"
        if entry.there and self.chance.random() < 0.15:
            entry.open = GONE
            status, _ = call("DELETE", path)
            assert status == 200
            entry.there, entry.uid = False, ""
        else:
            number = entry.number + 1
            entry.open = str(number)
            data = {"number": str(number), "again": str(number)}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            status, made = call("PATCH", f"{path}?fieldManager={self.name}&force=true", body, "apply-patch+yaml")
            assert status in (200, 201), made
            entry.number, entry.version = number, int(made["metadata"]["resourceVersion"])
            entry.there, entry.uid = True, made["metadata"]["uid"]
            self.highest = max(self.highest, entry.version)
        entry.open = ""
        self.answers += 1

    def audit(self, found: dict[str, Json]) -> None:
        """Compares the objects of the namespace with the book, and goes on from what is there."""
        for name, entry in self.entries.items():
            obj = found.get(name)
            said = f"{name}: {entry}, found {obj}"
            if obj is None:
                assert not entry.there or entry.open == GONE, f"lost {said}"
                entry.there, entry.uid, entry.open = False, "", ""
                continue
            self._compare(entry, obj, said)

    def _compare(self, entry: Entry, obj: Json, said: str) -> None:
        number, meta = int(obj["data"]["number"]), obj["metadata"]
        assert obj["data"] == {"number": str(number), "again": str(number)}, f"half written {said}"
        assert [e["manager"] for e in meta["managedFields"]] == [self.name], f"half written {said}"
        version = int(meta["resourceVersion"])
        if str(number) == entry.open:
            assert version > entry.version, f"went back {said}"
            assert not entry.there or meta["uid"] == entry.uid, f"another object {said}"
        else:
            assert entry.there, f"came back {said}"
            assert (number, version, meta["uid"]) == (entry.number, entry.version, entry.uid), f"changed {said}"
        entry.number, entry.version, entry.uid = number, version, meta["uid"]
        entry.there, entry.open = True, ""


@dataclass
class Watcher:
    """Follows the ConfigMaps of a namespace, and resumes after a kill as clients do."""

    namespace: str
    seen: dict[str, str] = field(default_factory=dict)
    version: int = 0
    resumed: int = 0
    listed: int = 0

    @property
    def path(self) -> str:
        """Where its objects are."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def list(self, call: Caller) -> None:
        """Starts from the present state."""
        _, body = call("GET", self.path)
        self.seen = {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in body["items"]}
        self.version = int(body["metadata"]["resourceVersion"])
        self.listed += 1

    def follow(self, call: Caller, seconds: int = 600) -> bool:
        """Takes events until the connection or the time ends; False when its version is too old (410)."""
        query = f"watch=true&resourceVersion={self.version}&timeoutSeconds={seconds}&allowWatchBookmarks=true"
        try:
            for event in call.lines(f"{self.path}?{query}"):
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410, event
                    return False
                self._take(event)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # killed in the middle
        return True

    def _take(self, event: Json) -> None:
        meta = event["object"]["metadata"]
        version, least = int(meta["resourceVersion"]), self.version + (event["type"] != "BOOKMARK")
        assert version >= least, f"went back: {event}"
        self.version = version
        if event["type"] == "DELETED":
            self.seen.pop(meta["name"], None)
        elif event["type"] != "BOOKMARK":
            self.seen[meta["name"]] = meta["resourceVersion"]

    def resume(self, sandbox: Sandbox) -> None:
        """Goes on where it was, or lists again when that is too long ago."""
        if self.follow(Caller(sandbox), seconds=1):
            self.resumed += 1
        else:
            self.list(Caller(sandbox))


def started(*work: Any) -> list[threading.Thread]:
    """A running thread for each (function, arguments…)."""
    threads = [threading.Thread(target=function, args=words, daemon=True) for function, *words in work]
    for thread in threads:
        thread.start()
    return threads
