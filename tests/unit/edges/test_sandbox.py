"""The sandbox as a process: up, down, killed, taken, broken."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbkube.edges import kubeconfig, process
from sbkube.edges.cluster import connect
from sbkube.edges.sandbox import Sandbox
from sbkube.errors import ClusterUnreachable, UsageError
from sbkube.models.resource import ResourceKey

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "default"}}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path / ".sbkube" / "sandbox")
    yield made
    made.down()


def test_up_is_idempotent_and_objects_stay(box: Sandbox) -> None:
    assert box.status() is None
    path = box.up()
    assert path == box.kubeconfig()
    first = box.status()
    assert first is not None
    assert set(first) == {"url", "pid", "port", "started", "kubeconfig"}
    cluster = connect(kubeconfig.load(str(path), None, {}))
    cluster.apply(MAP, manager="me", force=False)
    assert cluster.info().sandbox
    box.up()
    again = box.status()
    assert again is not None
    assert again["pid"] == first["pid"]
    assert box.down()
    assert not box.down()
    assert box.status() is None
    later = connect(kubeconfig.load(str(box.up()), None, {}))
    assert later.get(ResourceKey.of(MAP)) is not None


def test_options_reach_the_server(box: Sandbox) -> None:
    path = box.up(kubernetes_version="1.34", ready_delay=0.1)
    assert connect(kubeconfig.load(str(path), None, {})).info().version == "v1.34.0+sandbox"


def test_a_killed_server_is_noticed_and_replaced(box: Sandbox) -> None:
    box.up()
    status = box.status()
    assert status is not None
    os.kill(status["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 5
    while process.alive(status["pid"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (box.folder / "server.json").exists()
    assert box.status() is None
    assert not box.down()
    box.up()
    again = box.status()
    assert again is not None
    assert again["pid"] != status["pid"]


def test_a_stale_number_that_belongs_to_somebody_else_is_left_alone(box: Sandbox) -> None:
    stranger = process.spawn(
        process.Command((sys.executable, "-c", "import time; time.sleep(60)")), box.folder.parent.parent / "log"
    )
    box.folder.mkdir(parents=True)
    (box.folder / "server.json").write_text(
        json.dumps({"pid": stranger.pid, "port": 1, "url": "https://127.0.0.1:1"})
    )
    assert box.status() is None
    assert not box.down()
    assert process.alive(stranger.pid)
    box.up()
    assert process.alive(stranger.pid)
    process.terminate(stranger.pid)


def test_several_starters_share_one_server(box: Sandbox) -> None:
    found: list[object] = []

    def start() -> None:
        other = Sandbox(box.folder)
        other.up()
        status = other.status()
        found.append(status and status["pid"])

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert found[0]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    box = Sandbox(tmp_path / "box")
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "store.db").write_text("this is no database, and it is long enough to be seen as none")
    with pytest.raises(ClusterUnreachable, match=r"the sandbox ended with code 1: .*database") as caught:
        box.up()
    assert str(box.log()) in str(caught.value.hint)


def test_a_port_that_is_taken_is_told(box: Sandbox) -> None:
    told = pytest.raises(ClusterUnreachable, match="address already in use")
    with socket.create_server(("127.0.0.1", 0)) as taken, told:
        box.up(port=taken.getsockname()[1])
    assert box.up().exists()


def test_the_code_of_a_command_that_a_signal_ended_is_a_shells(box: Sandbox) -> None:
    assert box.run(["sh", "-c", "exit 7"]) == 7
    assert box.run(["sh", "-c", "kill -TERM $$"]) == 128 + signal.SIGTERM
    assert box.status() is None


def test_a_reset_leaves_nothing(box: Sandbox) -> None:
    box.up()
    box.reset()
    assert not box.folder.exists()
    box.reset()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClusterUnreachable, match="needs the folder"):
        Sandbox(tmp_path / "file" / "box").up()


def test_a_folder_with_other_files_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kubeconfig").write_text("precious")
    for work in (Sandbox(folder).up, Sandbox(folder).reset):
        with pytest.raises(UsageError, match="no folder of a sandbox"):
            work()
    assert [path.name for path in folder.iterdir()] == ["kubeconfig"]
    assert (folder / "kubeconfig").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    for folder in (tmp_path / "locked", tmp_path / "locked" / "box"):
        with pytest.raises(ClusterUnreachable, match="Permission denied") as caught:
            Sandbox(folder).up()
        assert "permissions" in str(caught.value.hint)


def test_what_is_stored_is_for_its_owner_only(box: Sandbox) -> None:
    box.up()
    for name in ("store.db", "kubeconfig", "server.json", "server.log"):
        assert (box.folder / name).stat().st_mode & 0o077 == 0, name


def test_reset_forgets_everything_but_foreign_files(box: Sandbox) -> None:
    cluster = connect(kubeconfig.load(str(box.up()), None, {}))
    cluster.apply(MAP, manager="me", force=False)
    (box.folder / "mine.txt").write_text("x")
    box.reset()
    assert sorted(path.name for path in box.folder.iterdir()) == [".gitignore", "mine.txt"]
    fresh = connect(kubeconfig.load(str(box.up()), None, {}))
    assert fresh.get(ResourceKey.of(MAP)) is None


def test_run_for_the_length_of_one_command(box: Sandbox, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import os, pathlib, sys; pathlib.Path({str(out)!r}).write_text(os.environ['KUBECONFIG']); sys.exit(5)"
    assert box.run([sys.executable, "-c", code]) == 5
    assert out.read_text() == str(box.kubeconfig())
    assert box.status() is None
    box.up()
    assert box.run([sys.executable, "-c", ""]) == 0
    assert box.status() is not None
