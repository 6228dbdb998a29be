"""A real kube-apiserver with its etcd, without nodes and controllers, as controller-runtime's envtest runs them.

The programs are looked for in `KUBEBUILDER_ASSETS` (default /usr/local/kubebuilder/bin). The server speaks TLS
with a certificate of its own and knows one token, whose user is in `system:masters`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sbkube.sandbox import certs

DEFAULT = "/usr/local/kubebuilder/bin"
PROGRAMS = ("etcd", "kube-apiserver")
PATIENCE = 90.0  # seconds until the server must be ready


class NotStarted(RuntimeError):
    """A program ended early or did not become ready; the message has the end of its log."""


@dataclass(frozen=True)
class Envtest:
    """Where the server is."""

    server: str
    ca: Path
    token: str


def missing(environ: Mapping[str, str]) -> str:
    """Why there is no such server to start; empty when there is one."""
    folder = Path(environ.get("KUBEBUILDER_ASSETS") or DEFAULT)
    absent = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    return f"{folder} has no {' and no '.join(absent)} (set KUBEBUILDER_ASSETS)" if absent else ""


@contextlib.contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[Envtest]:
    """Both programs for the length of a `with`, their files in `folder`. Raises NotStarted."""
    assets = Path(environ.get("KUBEBUILDER_ASSETS") or DEFAULT)
    etcd, peer, port = _ports(3)
    token = _write_secrets(folder)
    with contextlib.ExitStack() as started:
        store = _start(folder, "etcd", [str(assets / "etcd"), *_etcd_flags(folder, etcd, peer)])
        started.callback(_stop, store)
        flags = _server_flags(folder, etcd, port)
        server = _start(folder, "kube-apiserver", [str(assets / "kube-apiserver"), *flags])
        started.callback(_stop, server)
        found = Envtest(f"https://127.0.0.1:{port}", folder / "ca.crt", token)
        _await(found, folder, {"etcd": store, "kube-apiserver": server})
        yield found


def _ports(count: int) -> list[int]:
    """Free ports, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _write_secrets(folder: Path) -> str:
    made, token = certs.make(), secrets.token_urlsafe(24)
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    files = {
        "ca.crt": made.ca,
        "server.crt": made.certificate,
        "server.key": made.key,
        "service-account.key": account.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "service-account.pub": account.public_key().public_bytes(
            pem, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "tokens.csv": f"{token},tester,tester,system:masters\n".encode(),
    }
    for name, content in files.items():
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    return token


def _etcd_flags(folder: Path, port: int, peer: int) -> list[str]:
    url, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={other}",
        f"--initial-advertise-peer-urls={other}",
        f"--initial-cluster=default={other}",
        "--unsafe-no-fsync",
    ]


def _server_flags(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-account.pub'}",
        f"--service-account-signing-key-file={folder / 'service-account.key'}",
        "--service-cluster-ip-range=10.43.0.0/16",
        "--allow-privileged=true",
        # No controller makes service accounts here, and pods shall be admitted all the same.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _start(folder: Path, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)


def _stop(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(10)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _await(found: Envtest, folder: Path, programs: Mapping[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _ready(found):
        for name, program in programs.items():
            ended, late = program.poll() is not None, time.monotonic() > deadline
            if ended or late:
                said = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()[-5:]
                what = f"ended with code {program.returncode}" if ended else f"was not ready after {PATIENCE:g} s"
                raise NotStarted(f"{name} {what}: " + "\n".join(said))
        time.sleep(0.1)


def _ready(found: Envtest) -> bool:
    request = urllib.request.Request(f"{found.server}/readyz", headers={"Authorization": f"Bearer {found.token}"})
    tls = ssl.create_default_context(cafile=found.ca)
    try:
        with urllib.request.urlopen(request, context=tls, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
