"""`sbkube` for tests that type many commands: a process that has imported everything forks for each of them.

`python quick_sbkube.py SOCKET` serves; `python quick_sbkube.py SOCKET WORDS…` has a command run, with the caller's
streams, folder and environment, and ends with its exit code.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path


def call(place: str, words: list[str]) -> int:
    """Have one command run; gives its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(place)
        asked = json.dumps({"words": words, "folder": str(Path.cwd()), "environ": dict(os.environ)}).encode()
        server.sendall(len(asked).to_bytes(4, "big"))
        socket.send_fds(server, [asked[:1]], [0, 1, 2])
        server.sendall(asked[1:])
        return int.from_bytes(server.recv(1) or b"\xff", "big")


def serve(place: str) -> None:
    """Run commands until the process is ended."""
    import sbkube.api.project
    import sbkube.cli.main
    import sbkube.edges.cluster
    import sbkube.edges.helm
    import sbkube.edges.sandbox
    import sbkube.engine.execute
    import sbkube.engine.prepare
    import sbkube.state.tracker  # noqa: F401

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        server.listen()
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(client)
            client.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(client: socket.socket) -> None:
    """In the child: become the command that was asked for."""
    from sbkube.cli.main import main

    code = 70
    try:
        left = int.from_bytes(client.recv(4), "big")
        asked, streams, _, _ = socket.recv_fds(client, 1, 3)
        while len(asked) < left:
            asked += client.recv(left - len(asked))
        given = json.loads(asked)
        for at, stream in enumerate(streams):
            os.dup2(stream, at)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        os.chdir(given["folder"])
        os.environ.clear()
        os.environ.update(given["environ"])
        code = main(given["words"])
    except BaseException:  # noqa: BLE001 - the process ends below, without a word
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        client.sendall(code.to_bytes(1, "big"))
        os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
