"""The server over TLS: who may talk, in which formats, and what ends a request early."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sbkube.sandbox.server import AlreadyRunning, Settings, run
from sbkube.sandbox.store import Store

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
CONFIG = {"metadata": {"name": "c"}, "data": {"a": "1", "at": "2026-01-01T00:00:00Z"}}


class Client:
    """Sends requests with the token of a running server."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession) -> None:
        state = json.loads((folder / "server.json").read_text())
        self.url, self.token, self._session = state["url"], state["token"], session

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str, Any]:
        """Status, content type and body (read, when it is JSON)."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {k.replace("_", "-"): v for k, v in headers.items()}
        async with self._session.request(method, self.url + path, data=data, headers=sent) as answer:
            text = await answer.text()
            return answer.status, answer.content_type, json.loads(text) if "json" in answer.content_type else text


def serving(folder: Path, work: Callable[[Client], Awaitable[None]]) -> None:
    """Runs `work` against a server on `folder`."""

    async def main() -> None:
        stop = asyncio.Event()
        server = asyncio.create_task(run(Settings(folder, ready_delay=0.0), stop))
        while not (folder / "server.json").exists():
            assert not server.done(), server.exception()
            await asyncio.sleep(0.01)
        trust = ssl.create_default_context(cafile=folder / "ca.crt")
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
                await work(Client(folder, session))
        finally:
            stop.set()
            await server

    asyncio.run(main())


def test_only_the_bearer_of_the_token_is_served(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        assert (await client.send("GET", "/readyz", Authorization=""))[2] == "ok"
        for wrong in ("", "Bearer", "Bearer x", "Basic eDp5"):
            status, _, body = await client.send("GET", MAPS, Authorization=wrong)
            assert (status, body["reason"]) == (401, "Unauthorized")
        assert (await client.send("GET", MAPS))[0] == 200

    serving(tmp_path / "s", work)


def test_the_folder_is_private_and_has_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "s"

    async def work(client: Client) -> None:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("kubeconfig", "server.json"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        with pytest.raises(AlreadyRunning):
            await run(Settings(folder))

    serving(folder, work)
    assert not (folder / "server.json").exists()


def test_objects_survive_a_restart(tmp_path: Path) -> None:
    async def write(client: Client) -> None:
        assert (await client.send("POST", MAPS, CONFIG))[0] == 201

    async def read(client: Client) -> None:
        assert (await client.send("GET", MAPS + "/c"))[2]["data"] == CONFIG["data"]

    serving(tmp_path / "s", write)
    serving(tmp_path / "s", read)


def test_formats(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        text = b"metadata:\n  name: c\ndata:\n  a: '1'\n  at: '2026-01-01T00:00:00Z'\n"
        assert (await client.send("POST", MAPS, text, Content_Type="application/yaml"))[0] == 201
        status, shape, body = await client.send("GET", MAPS + "/c", Accept="application/yaml")
        assert (status, shape) == (200, "application/yaml")
        assert 'data:\n  a: "1"\n  at: "2026-01-01T00:00:00Z"\nkind: ConfigMap\n' in body
        status, _, body = await client.send("GET", MAPS + "/c", Accept="text/csv")
        assert (status, body["reason"]) == (406, "NotAcceptable")
        status, _, body = await client.send("POST", MAPS, b"x", Content_Type="text/plain")
        assert (status, body["reason"]) == (415, "UnsupportedMediaType")
        status, _, body = await client.send("POST", MAPS, b"{" + b" " * (3 << 20) + b"}")
        assert (status, body["reason"]) == (413, "RequestEntityTooLarge")
        status, _, body = await client.send("POST", MAPS, b'{"kind":')
        assert status == 400
        assert body["message"] == (
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
            'json parse error: unexpected end of JSON input ({"kind":)'
        )

    serving(tmp_path / "s", work)


async def _raw(folder: Path, *parts: bytes) -> bytes:
    """What the server answers to bytes that no HTTP client would send."""
    state = json.loads((folder / "server.json").read_text())
    trust = ssl.create_default_context(cafile=folder / "ca.crt")
    reader, writer = await asyncio.open_connection("127.0.0.1", state["port"], ssl=trust)
    token = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {state['token']}\r\n".encode()
    for part in parts:
        writer.write(part.replace(b"HEAD", token))
        await writer.drain()
        await asyncio.sleep(0.02)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ((b"\x00\x01\x02\r\n\r\n",), 400),
        ((b"GET / HTTP/9.9\r\nHEAD\r\n",), 400),
        ((b"GET /api/v1/namespaces HTTP/1.1\r\nHEADX: " + b"a" * 100_000 + b"\r\n\r\n",), 200),
        ((b"GET /api/v1/namespaces HTTP/1.1\r\nHEADX: " + b"a" * 2_000_000 + b"\r\n\r\n",), 400),
        ((b"GET /api/v1/namespaces?labelSelector=" + b"a,!" * 9000 + b"a HTTP/1.1\r\nHEAD\r\n",), 200),
        ((b"GET /api/v1/namespaces/\x00 HTTP/1.1\r\nHEAD\r\n",), 400),
        ((b"GET /api/v1/namespaces/%00 HTTP/1.1\r\nHEAD\r\n",), 404),
        ((b"GET /api/v1/namespaces/%ff%fe HTTP/1.1\r\nHEAD\r\n",), 404),
        ((b"GET /api/v1/namespaces?labelSelector=%ff HTTP/1.1\r\nHEAD\r\n",), 400),
        ((b"GET /version HTTP/1.1\r\nHEADUser-Agent: \xff\xfe\r\n\r\n",), 200),
        ((b"POST /api/v1/namespaces HTTP/1.1\r\nHEADContent-Length: x\r\n\r\n",), 400),
        ((b"POST /api/v1/namespaces HTTP/1.1\r\nHEADTransfer-Encoding: chunked\r\n\r\nzz\r\n",), 400),
        ((b"POST /api/v1/namespaces HTTP/1.1\r\nHEADContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",), 422),
        ((b"POST /api/v1/namespaces HTTP/1.1\r\nHEADContent-Length: 25\r\n\r\n", *(bytes([c]) for c in
          b'{"metadata":{"name":"s"}}')), 201),
    ],
)  # fmt: skip
def test_broken_requests_and_slow_clients(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: tuple[bytes, ...], code: int
) -> None:
    async def work(client: Client) -> None:
        answer = await _raw(tmp_path / "s", *sent)
        assert int(answer.split(b" ", 2)[1]) == code, answer[:300]
        assert (await client.send("GET", "/api/v1/namespaces/default"))[0] == 200
        assert not [r for r in caplog.records if r.exc_info], caplog.text

    serving(tmp_path / "s", work)


def test_a_client_that_goes_away_leaves_no_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(client: Client) -> None:
        unfinished = b"POST /api/v1/namespaces HTTP/1.1\r\nHEADContent-Length: 9\r\n\r\n{}"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_raw(tmp_path / "s", unfinished), 0.5)
        assert (await client.send("GET", MAPS))[0] == 200
        assert not caplog.records, caplog.text

    serving(tmp_path / "s", work)


@pytest.mark.parametrize("cut", ["before", "after", "body"])
def test_connections_are_cut_on_demand(tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: str) -> None:
    async def work(client: Client) -> None:
        assert (await client.send("POST", "/sandbox/faults", {"verb": "create", "cut": cut}))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await client.send("POST", MAPS, CONFIG)
        assert (await client.send("GET", MAPS + "/c"))[0] == (404 if cut == "before" else 200)
        assert not caplog.records, caplog.text

    serving(tmp_path / "s", work)


def test_a_watch_goes_on_after_a_restart(tmp_path: Path) -> None:
    versions: list[str] = []

    async def first(client: Client) -> None:
        versions.append((await client.send("POST", MAPS, CONFIG))[2]["metadata"]["resourceVersion"])
        await client.send("DELETE", MAPS + "/c")

    async def second(client: Client) -> None:
        query = f"?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dc&resourceVersion={versions[0]}"
        status, _, _ = await client.send("POST", MAPS, CONFIG)
        assert status == 201
        async with client._session.get(
            client.url + MAPS + query, headers={"Authorization": f"Bearer {client.token}"}
        ) as answer:
            events = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [e["type"] for e in events] == ["DELETED", "ADDED"]

    serving(tmp_path / "s", first)
    serving(tmp_path / "s", second)


def test_unknown_paths(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for path in ("/nothing", "/apis/none.example/v1/things", "/apis/none.example"):
            assert await client.send("GET", path) == (404, "text/plain", "404 page not found\n")
        for path in ("/api/v1/nothings", "/apis/apps/v1/namespaces/default/nothings", MAPS + "/c/zzz"):
            status, _, body = await client.send("GET", path)
            assert (status, body["reason"]) == (404, "NotFound")
        status, _, body = await client.send("POST", MAPS + "/c", CONFIG)
        assert (status, body["reason"]) == (405, "MethodNotAllowed")

    serving(tmp_path / "s", work)


def test_members_that_come_twice(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        body = b'{"metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
        status, _, found = await client.send("POST", MAPS + "?fieldValidation=Strict", body)
        assert status == 400
        assert found["message"] == (
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
            'duplicate field "data.a"'
        )
        status, _, found = await client.send("POST", MAPS, body)
        assert (status, found["data"]) == (201, {"a": "2"})

    serving(tmp_path / "s", work)


def test_a_definition_is_established_and_served_at_once(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer", "default": 3, "maximum": 9}}}}}  # fmt: skip
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [version]}  # fmt: skip

    async def work(client: Client) -> None:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        status, _, made = await client.send(
            "POST", path, {"metadata": {"name": "gadgets.example.com"}, "spec": spec}
        )
        assert status == 201
        assert {"Established", "NamesAccepted"} <= {c["type"] for c in made["status"]["conditions"]}
        gadgets = "/apis/example.com/v1/namespaces/default/gadgets"
        body = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}
        status, _, made = await client.send("POST", gadgets, {**body, "spec": {"unknown": 1}})
        assert (status, made["spec"]) == (201, {"size": 3})
        status, _, found = await client.send("POST", gadgets, {**body, "spec": {"size": 10}})
        assert (status, found["reason"]) == (422, "Invalid")
        await client.send("DELETE", path + "/gadgets.example.com")
        for _ in range(100):
            if (await client.send("GET", gadgets))[0] == 404:
                break
            await asyncio.sleep(0.02)
        assert (await client.send("GET", gadgets))[0] == 404

    serving(tmp_path / "s", work)


def _path(store: Store) -> Path:
    try:
        return Path(store._db.execute("PRAGMA database_list").fetchone()[2])
    except sqlite3.ProgrammingError:
        return Path()


def test_a_full_disk_answers_500_and_shows_nothing(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        store = next(
            o for o in gc.get_objects() if isinstance(o, Store) and _path(o) == tmp_path / "s" / "store.db"
        )
        await client.send("POST", MAPS, CONFIG)
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count={pages}")
        big = {"metadata": {"name": "big"}, "data": {"a": "x" * 500_000}}
        status, _, body = await client.send("POST", MAPS, big)
        assert (status, body["reason"]) == (500, "InternalError")
        assert (await client.send("GET", MAPS + "/big"))[0] == 404
        assert (await client.send("GET", MAPS + "/c"))[0] == 200
        assert (await client.send("DELETE", MAPS + "/c"))[0] == 200
        # The controllers go on too, once there is room.
        store._db.execute("PRAGMA max_page_count=1000000")
        spec = {"containers": [{"name": "m", "image": "i"}]}
        await client.send("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
        for _ in range(200):
            _, _, pod = await client.send("GET", "/api/v1/namespaces/default/pods/p")
            if pod["status"]["phase"] == "Running":
                break
            await asyncio.sleep(0.02)
        assert pod["status"]["phase"] == "Running"

    serving(tmp_path / "s", work)
