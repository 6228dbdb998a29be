"""Runs the sandbox: `python -m sbkube.sandbox.server --dir DIR [--port 0]`.

DIR (0700) gets `kubeconfig` (0600), `server.json` (pid, port, url, token, started), `ca.crt` and `store.db`.
A second server on the same folder is refused. SIGTERM and SIGINT end it in order.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import secrets
import signal
import sqlite3
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from sbkube.sandbox import bodies, certs, startup
from sbkube.sandbox.api import Api
from sbkube.sandbox.fields import now
from sbkube.sandbox.http import Handler, complaints
from sbkube.sandbox.kinds import Registry
from sbkube.sandbox.service import Service
from sbkube.sandbox.store import Store

DEFAULT_VERSION = "1.36"
# As Go's server has them (1 MiB for the head of a request); bodies are taken as they are.
_LIMITS: dict[str, Any] = {
    "max_line_size": 1 << 20,
    "max_field_size": 1 << 20,
    "max_headers": 10_000,
    "auto_decompress": False,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: the folder, the port (0: any free one), the version claimed, seconds until pods are ready."""

    folder: Path
    port: int = 0
    version: str = DEFAULT_VERSION
    ready_delay: float = 0.5


class AlreadyRunning(RuntimeError):
    """Another server has the folder."""


def version(text: str) -> dict[str, Any]:
    """The body of /version for a Kubernetes version like `1.36`."""
    parts = [*text.split("."), "0", "0"][:3]
    return {
        "major": parts[0],
        "minor": parts[1],
        "emulationMajor": parts[0],
        "emulationMinor": parts[1],
        "minCompatibilityMajor": parts[0],
        "minCompatibilityMinor": str(max(0, int(parts[1]) - 1)) if parts[1].isdigit() else parts[1],
        "gitVersion": f"v{'.'.join(parts)}+sandbox",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def _write(path: Path, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _kubeconfig(url: str, ca: bytes, token: str) -> str:
    import base64

    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": "sandbox", "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        },
        indent=2,
    )


def _lock(folder: Path) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise AlreadyRunning(f"a sandbox already runs on {folder}") from None
    return handle


def _tls(folder: Path, found: certs.Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = folder / "server.pem"
    _write(chain, found.certificate + found.key)
    context.load_cert_chain(chain)
    chain.unlink()
    return context


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=bodies.LIMIT)


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Serves until SIGTERM, SIGINT or `stop`. Raises AlreadyRunning, OSError."""
    stop = stop or asyncio.Event()
    lock = _lock(settings.folder)
    try:
        await _serve(settings, stop)
    finally:
        os.close(lock)


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    folder = settings.folder
    (folder / "store.db").touch(0o600)  # Secrets are in it
    store = Store(folder / "store.db")
    api = Api(store, Registry())
    token, found = secrets.token_urlsafe(24), certs.make()
    address = [""]
    service = Service(api, token, version(settings.version), lambda: address[0])
    controllers = await startup.prepare(api, settings.ready_delay, found.ca.decode())
    service.control.controllers = controllers
    await store.flushed()
    runner = web.ServerRunner(
        web.Server(Handler(service), request_factory=_request, access_log=None, logger=complaints(), **_LIMITS),
        shutdown_timeout=0.2,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", settings.port, ssl_context=_tls(folder, found))
    await site.start()
    port = runner.addresses[0][1]
    address[0] = f"127.0.0.1:{port}"
    url = f"https://{address[0]}"
    _write(folder / "ca.crt", found.ca)
    _write(folder / "kubeconfig", _kubeconfig(url, found.ca, token))
    state = {"pid": os.getpid(), "port": port, "url": url, "token": token, "started": now()}
    _write(folder / "server.json", json.dumps(state))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await controllers.stop()
    (folder / "server.json").unlink(missing_ok=True)
    await runner.cleanup()
    store.close()


def main(arguments: list[str] | None = None) -> int:
    """The program; 3 when the folder is taken, 1 when folder, port or store cannot be used."""
    parser = argparse.ArgumentParser(
        prog="sbkube.sandbox.server", description="sandbox (simulated Kubernetes API)"
    )
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kubernetes-version", default=DEFAULT_VERSION)
    parser.add_argument("--ready-delay", type=float, default=0.5, metavar="SECONDS")
    read = parser.parse_args(arguments)
    try:
        asyncio.run(run(Settings(read.dir, read.port, read.kubernetes_version, read.ready_delay)))
    except AlreadyRunning as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
