"""The process that starts sandboxes for this one (`sbkube.testing.host`), started when it is first wanted."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sbkube.edges.process import Daemon

MODULE = "sbkube.testing.host"
PATIENCE = 60.0  # seconds; an overloaded machine needs several for the imports alone


class Host:
    """Lends sandboxes: each is a connection, and ends when that is closed."""

    def __init__(self) -> None:
        # Sockets have short names only, which the folder of a test run has not.
        self._folder = Path(tempfile.mkdtemp(prefix="sbkube-testing-"))
        self._daemon = self._start()
        self.pid = os.getpid()

    def _start(self) -> Daemon:
        from sbkube.edges import process

        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        argv = (sys.executable, "-P", "-m", MODULE, str(self._folder / "socket"))
        command = process.Command(argv, env={**os.environ, "PYTHONPATH": path}, folder=self._folder)
        return process.spawn(command, self._folder / "log")

    def lend(self, **wanted: Any) -> socket.socket:
        """A sandbox, running; closing the connection ends it. Raises ClusterUnreachable."""
        connection = self._connected()
        connection.settimeout(PATIENCE)
        connection.sendall(json.dumps(wanted).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n") and (piece := connection.recv(4096)):
            line += piece
        answer = json.loads(line) if line else {"error": "it ended early"}
        if "error" in answer:
            connection.close()
            raise self._failed(f"does not start: {answer['error']}", Path(wanted["dir"]) / "server.log")
        return connection

    def _connected(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        while self._daemon.code is None and time.monotonic() < deadline:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._folder / "socket"))
            except OSError:
                connection.close()
                time.sleep(0.01)
            else:
                return connection
        raise self._failed("has no process to start it", self._folder / "log")

    def _failed(self, what: str, log: Path) -> Exception:
        from sbkube.errors import ClusterUnreachable

        said = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
        return ClusterUnreachable(f"the sandbox {what}", hint="; ".join(said) or f"its log is {log}")

    def close(self) -> None:
        """End the process; sandboxes that are still lent go on until their connections close."""
        from sbkube.edges import process

        self._daemon.detach()
        process.terminate(self._daemon.pid)
        shutil.rmtree(self._folder, ignore_errors=True)


_hosts: list[Host] = []
_lock = threading.Lock()


def host() -> Host:
    """This process's host. A forked child gets one of its own."""
    with _lock:
        if not _hosts or _hosts[0].pid != os.getpid():
            _hosts[:] = [Host()]
            atexit.register(_close, _hosts[0])
        return _hosts[0]


def _close(mine: Host) -> None:
    if mine.pid == os.getpid():
        mine.close()
