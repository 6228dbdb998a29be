"""A file system that is full: errors, nothing half done; reads go on, and so do writes when there is room."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbkube.edges.sandbox import Sandbox
from sbkube.errors import ClusterError, ClusterUnreachable
from sbkube.testing import KubeSandbox

SMALL, LARGE = "size=3m", "size=64m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tiny file system of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a file system to fill")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", SMALL, "sandbox-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    # Processes that were told to end may still have the folder open.
    subprocess.run(["umount", "-l", str(place)], check=True)


def config(name: str, size: int = 20_000) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": "x" * size}}


def versions(box: KubeSandbox) -> dict[str, str]:
    found = box.client.list("ConfigMap", "default")
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in found}


def filled(box: KubeSandbox) -> tuple[list[str], str]:
    """Writes until an error comes: what was written, and what was not."""
    written: list[str] = []
    for number in range(1000):
        try:
            box.client.create(config(f"c{number}"))
        except ClusterError as error:
            assert error.code == 500
            assert "full" in str(error)
            return written, f"c{number}"
        written.append(f"c{number}")
    raise AssertionError("the disk is not full")


def test_a_full_disk_refuses_writes_and_goes_on_reading(disk: Path) -> None:
    with KubeSandbox(disk / "box") as box:
        written, refused = filled(box)
        assert written
        before = versions(box)
        assert set(written) <= set(before)
        assert box.client.get("ConfigMap", refused, "default") is None
        for write in (
            lambda: box.client.create(config("another")),
            lambda: box.client.apply(config(written[0], 30_000)),
        ):
            with pytest.raises(ClusterError) as caught:
                write()
            assert caught.value.code == 500
        assert versions(box) == before
        subprocess.run(["mount", "-o", f"remount,{LARGE}", str(disk)], check=True)
        box.client.create(config(refused))
        box.client.delete("ConfigMap", written[0], "default")
        after = versions(box)
        assert set(after) == set(before) - {written[0]} | {refused}
        assert int(after[refused]) > max(map(int, before.values()))
        box.restart()
        assert versions(box) == after
        assert box.log == ""


def test_a_restart_on_a_full_disk_keeps_what_was_answered(disk: Path) -> None:
    with KubeSandbox(disk / "box") as box:
        written, _ = filled(box)
        os.kill(box._state()["pid"], 9)
        subprocess.run(["mount", "-o", f"remount,{LARGE}", str(disk)], check=True)
        box.restart()
        assert set(written) <= set(versions(box))


def test_a_start_on_a_full_disk_says_so(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass
    box = Sandbox(disk / "box")
    begun = time.monotonic()
    with pytest.raises(ClusterUnreachable, match=r"full|[Nn]o space"):
        box.up(timeout=60)
    assert time.monotonic() - begun < 60
    (disk / "filler").unlink()
    assert box.up(timeout=60) == box.kubeconfig()
    assert box.down()
