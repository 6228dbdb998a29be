"""What is sent again and what is not, against a server that plays a script."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stub_server import CUT, StubServer, answer, failure

from sbkube.edges.access import Access, Auth
from sbkube.edges.connection import Connection, Limits, Request
from sbkube.errors import ClusterError, ClusterForbidden, ClusterUnreachable

GET = Request("GET", "/x")
POST = Request("POST", "/x", b"{}", repeatable=False)


class Sleeper:
    """Counts instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def connect(server: StubServer, sleeper: Sleeper, auth: Auth | None = None, **more: float) -> Connection:
    access = Access(server.url, context="stub", user="me", auth=auth or Auth())
    return Connection(access, limits=Limits(sleep=sleeper, **more))  # type: ignore[arg-type]


def test_connections_are_kept_and_reused(sleeper: Sleeper) -> None:
    with StubServer() as server:
        connection = connect(server, sleeper)
        for _ in range(5):
            assert connection.request(GET).body == b"{}"
        assert server.connections == 1
        assert b"User-Agent: sbkube/" in server.requests[0]


@pytest.mark.parametrize("how", [CUT, answer(200, {"a": 1})[:-2], b"HTTP/1.1 200 X\r\nContent-Le"])
def test_reads_are_repeated_when_the_connection_breaks(sleeper: Sleeper, how: bytes) -> None:
    with StubServer(answer(200, {}), how + CUT if how else CUT) as server:
        connection = connect(server, sleeper)
        connection.request(GET)
        if how:
            server.script[0] = how
            connection._limits = Limits(read=0.3, sleep=sleeper)  # the stub leaves the rest out and waits
            for wire in connection._idle:
                wire.wait_at_most(0.3)
        assert connection.request(GET).body == b"{}"
        assert len(server.requests) == 3


def test_a_create_whose_answer_was_lost_is_not_repeated(sleeper: Sleeper) -> None:
    with StubServer(answer(200, {}), CUT) as server:
        connection = connect(server, sleeper)
        connection.request(GET)
        with pytest.raises(ClusterUnreachable, match="the connection was lost") as caught:
            connection.request(POST)
        assert "may have been done" in str(caught.value.hint)
        assert server.heads() == ["GET /x", "POST /x"]


def test_a_connection_that_went_stale_is_not_used_even_for_a_create(sleeper: Sleeper) -> None:
    with StubServer(answer(200, {})) as server:
        connection = connect(server, sleeper)
        connection.request(GET)
        server.drop()
        time.sleep(0.05)
        assert connection.request(POST).status == 200
        assert (server.heads(), server.connections, sleeper.slept) == (["GET /x", "POST /x"], 2, [])


def test_busy_servers_are_asked_again_and_their_advice_is_followed(sleeper: Sleeper) -> None:
    busy = answer(429, {}, Retry_After="1")
    with StubServer(busy, answer(503, {}), answer(504, {}), answer(200, {"ok": 1})) as server:
        assert connect(server, sleeper).request(GET).body == b'{"ok": 1}'
    assert 1.0 in sleeper.slept
    assert all(0 < seconds <= 1.0 for seconds in sleeper.slept)


def test_a_create_is_repeated_after_429_only(sleeper: Sleeper) -> None:
    with StubServer(answer(429, {}), answer(201, {})) as server:
        assert connect(server, sleeper).request(POST).status == 201
    with StubServer(answer(503, {}), answer(201, {})) as server, pytest.raises(ClusterError) as caught:
        connect(server, sleeper).request(POST)
    assert caught.value.code == 503


def test_patience_has_an_end(sleeper: Sleeper) -> None:
    with StubServer(*[failure(503, "no")] * 20) as server:
        with pytest.raises(ClusterError, match="no"):
            connect(server, sleeper, retries=4).request(GET)
        assert len(server.requests) == 5
    with StubServer(*[failure(500, "failed calling webhook")] * 20) as server:
        with pytest.raises(ClusterError, match="failed calling webhook"):
            connect(server, sleeper).request(GET)
        assert len(server.requests) == 3
    assert sleeper.slept[3] > sleeper.slept[0]


@pytest.mark.parametrize("code", [400, 404, 409, 410, 415, 422])
def test_refusals_are_final(sleeper: Sleeper, code: int) -> None:
    with StubServer(failure(code, "no", "Reason")) as server:
        with pytest.raises(ClusterError, match="no") as caught:
            connect(server, sleeper).request(GET)
        assert (caught.value.code, caught.value.reason, len(server.requests)) == (code, "Reason", 1)


def test_nobody_there_is_said_soon(sleeper: Sleeper) -> None:
    with StubServer() as server:
        pass
    with pytest.raises(ClusterUnreachable, match="connection refused") as caught:
        connect(server, sleeper).request(GET)
    assert caught.value.subject == "context stub"
    assert caught.value.hint
    assert len(sleeper.slept) == 1


def test_a_server_that_restarts_is_waited_for(sleeper: Sleeper) -> None:
    with StubServer() as server:
        connection = connect(server, sleeper)
        connection.request(GET)
    connection.close()
    with pytest.raises(ClusterUnreachable):
        connection.request(GET)
    assert len(sleeper.slept) == 7


def test_no_answer_in_time(sleeper: Sleeper) -> None:
    with StubServer(b"HTTP/1.1 200 X\r\n") as server:
        started = time.monotonic()
        with pytest.raises(ClusterUnreachable, match="no answer in time"):
            connect(server, sleeper, read=0.2, retries=0).request(GET)
        assert time.monotonic() - started < 3


def test_something_else_listens(sleeper: Sleeper) -> None:
    with (
        StubServer(b"SSH-2.0-OpenSSH_9\r\n") as server,
        pytest.raises(ClusterUnreachable, match=r"the answer is not HTTP/1\.1"),
    ):
        connect(server, sleeper, retries=0).request(GET)
    access = Access(server.url.replace("http", "https"))
    with (
        StubServer() as plain,
        pytest.raises(ClusterUnreachable, match=r"TLS failed|no answer in time"),
    ):
        Connection(
            Access(plain.url.replace("http", "https"), origin=access.origin), limits=Limits(connect=0.5)
        ).request(GET)


def test_chunked_answers_and_interim_ones(sleeper: Sleeper) -> None:
    chunked = (
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nTrailer: t\r\n\r\n'
    )
    with StubServer(chunked) as server:
        connection = connect(server, sleeper)
        assert connection.request(GET).body == b'{"a":1}'
        assert connection.request(GET).body == b"{}"
        assert server.connections == 1


def test_connection_close_is_honoured(sleeper: Sleeper) -> None:
    with StubServer(answer(200, {}, Connection="close")) as server:
        connection = connect(server, sleeper)
        connection.request(GET)
        connection.request(GET)
        assert server.connections == 2


def test_a_refused_token_is_read_again_once(sleeper: Sleeper, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    with StubServer(answer(200, {}), failure(401, "Unauthorized"), answer(200, {"new": 1})) as server:
        connection = connect(server, sleeper, Auth(token_file=str(path)))
        connection.request(GET)
        path.write_text("new\n")
        assert connection.request(POST).body == b'{"new": 1}'
        sent = [r.split(b"Authorization: ")[1].split(b"\r\n")[0] for r in server.requests]
        assert sent == [b"Bearer old", b"Bearer old", b"Bearer new"]


def test_credentials_that_are_not_accepted(sleeper: Sleeper) -> None:
    with StubServer(failure(401, "Unauthorized")) as server:
        with pytest.raises(ClusterForbidden, match='does not accept the credentials of "me"') as caught:
            connect(server, sleeper, Auth(token="x")).request(GET)
        assert len(server.requests) == 1
    assert caught.value.hint


def test_impersonation_and_basic_auth(sleeper: Sleeper) -> None:
    auth = Auth(username="u", password="p", impersonate="boss", impersonate_groups=("a", "b"), impersonate_uid="7")
    with StubServer() as server:
        connect(server, sleeper, auth).request(GET)
        head = server.requests[0].decode()
    for line in (
        "Authorization: Basic dTpw",
        "Impersonate-User: boss",
        "Impersonate-Group: b",
        "Impersonate-Uid: 7",
    ):
        assert f"\r\n{line}\r\n" in head


def test_never_more_connections_than_allowed(sleeper: Sleeper) -> None:
    with StubServer() as server:
        connection = Connection(Access(server.url), most=3)
        threads = [
            threading.Thread(target=lambda: [connection.request(GET) for _ in range(20)]) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 240
        assert server.connections <= 3


def test_the_time_of_the_server(sleeper: Sleeper) -> None:
    with StubServer(answer(200, {}, Date="Tue, 01 Jan 2030 00:00:00 GMT"), answer(200, {})) as server:
        connection = connect(server, sleeper)
        connection.request(GET)
        assert timedelta() <= connection.server_time() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(seconds=5)
        connection.request(GET)
        with pytest.raises(ClusterUnreachable, match="does not tell the time"):
            connection.server_time()


def test_closing_ends_a_stream_that_is_read(sleeper: Sleeper) -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nx\n\r\n"
    with StubServer(endless) as server:
        connection = connect(server, sleeper)
        stream = connection.stream(GET, 30)
        assert next(stream.lines) == b"x"
        threading.Timer(0.2, connection.close).start()
        started = time.monotonic()
        with pytest.raises((OSError, ValueError)):
            next(stream.lines)
        assert time.monotonic() - started < 5
