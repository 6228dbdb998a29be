"""Starts sandboxes quickly: `python -m sbkube.testing.host SOCKET` imports everything once and forks for each.

Whoever wants a sandbox connects to the Unix socket, sends one line of JSON (`dir`, `ready_delay`, `version`) and
reads one line: `{}` once the sandbox answers, or `{"error": …}`. The sandbox lives as long as that connection, so
a test process that is killed leaves none behind. The host itself ends with its parent.

A new interpreter would need a second for its imports; a fork needs some 30 milliseconds, and is as much a process
of its own. The host runs no threads, which is what makes forking safe.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import socketserver
import sys
from pathlib import Path
from typing import Any

from sbkube.sandbox import schema, server
from sbkube.sandbox.kinds import Registry

Json = dict[str, Any]
LOOK = 0.002  # seconds between two looks whether the server has written where it is
PARENT = os.getppid()


class _Handler(socketserver.StreamRequestHandler):
    """One sandbox, in a process of its own."""

    def handle(self) -> None:
        wanted = json.loads(self.rfile.readline())
        folder = Path(wanted["dir"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)
        version = wanted["version"] or server.DEFAULT_VERSION
        settings = server.Settings(folder, version=version, ready_delay=wanted["ready_delay"])
        try:
            asyncio.run(_serve(settings, self.connection))
        except (server.AlreadyRunning, OSError) as error:
            self.connection.sendall(json.dumps({"error": str(error)}).encode() + b"\n")


async def _serve(settings: server.Settings, connection: socket.socket) -> None:
    """Serves until the other side of the connection is gone."""
    stop = asyncio.Event()
    task = asyncio.create_task(server.run(settings, stop))
    # What an earlier server left there names another process.
    while not task.done() and _pid(settings.folder) != os.getpid():
        await asyncio.sleep(LOOK)
    if not task.done():
        connection.sendall(b"{}\n")
        asyncio.get_running_loop().add_reader(connection, stop.set)
    await task


def _pid(folder: Path) -> int:
    try:
        state: Json = json.loads((folder / "server.json").read_bytes())
    except (OSError, ValueError):
        return 0
    return int(state["pid"])


class _Host(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each connection; ends with the process that started it."""

    max_children = 10_000
    block_on_close = False

    def service_actions(self) -> None:
        """Called twice a second."""
        super().service_actions()
        if os.getppid() != PARENT:
            sys.exit(0)


def main(arguments: list[str] | None = None) -> int:
    """The program."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    for kind in Registry():  # read once here rather than once in every sandbox
        schema.type_of(kind)
    with _Host(path, _Handler) as host:
        host.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
