"""No sandbox outlives the process that wanted it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sbkube.edges import process
from sbkube.testing import KubeSandbox
from sbkube.testing.processes import host

PROGRAM = """
import json, sys, time
from pathlib import Path
from sbkube.testing import KubeSandbox
from sbkube.testing.processes import host
box = KubeSandbox(Path(sys.argv[1]))
box.start()
print(json.loads((box.folder / "server.json").read_bytes())["pid"], host()._daemon.pid, flush=True)
if sys.argv[2] == "stay":
    time.sleep(600)
"""


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while process.alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not process.alive(pid)


@pytest.mark.parametrize("end", ["stay", "return"])
def test_a_process_that_dies_or_forgets_takes_its_sandboxes_along(tmp_path: Path, end: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "box"), end], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    pids = [int(word) for word in program.stdout.readline().split()]
    assert len(pids) == 2
    if end == "stay":
        os.kill(program.pid, signal.SIGKILL)
    program.wait(timeout=30)
    program.stdout.close()
    assert [gone(pid) for pid in pids] == [True, True]


def test_sandboxes_are_processes_of_their_own(kube_sandbox: KubeSandbox, tmp_path: Path) -> None:
    pid = kube_sandbox._state()["pid"]
    assert pid not in (os.getpid(), host()._daemon.pid)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    kube_sandbox.restart()
    assert kube_sandbox.client.raw("GET", "/readyz") == "ok"
