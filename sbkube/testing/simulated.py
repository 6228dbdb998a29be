"""A sandbox in the hands of a test: where it is, a client, and a way to make things go wrong."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sbkube.testing.client import Client
from sbkube.testing.processes import host

if TYPE_CHECKING:
    from typing import Unpack

READY_DELAY = 0.05  # seconds until a pod is ready; tests are in a hurry
KEPT_REQUESTS = 10_000
DEPLOYMENTS = "deployments.db"
CONTROL = "/sandbox"
FAULTS = f"{CONTROL}/faults"
REQUESTS = f"{CONTROL}/requests"
Patterns = str | list[str]


class Fault(TypedDict, total=False):
    """For which requests, what goes wrong, and how often; `sbkube.sandbox.faults` says what each member means.

    Patterns know `*`, `?` and `[...]`; seconds are floats. Without `times` it happens once.
    """

    namespace: Patterns
    name: Patterns
    subresource: Patterns
    agent: Patterns
    manager: Patterns
    path: Patterns
    dry_run: bool
    times: int
    skip: int
    status: int
    reason: str
    message: str
    retry_after: int
    latency: float
    answer_latency: float
    cut: Literal["before", "after", "body"]
    after_events: int


class KubeSandbox:
    """One running sandbox. It never touches the user's kubeconfig: clients are told where it is.

    `folder` holds its files. `ready_delay` is in seconds; `version` is the Kubernetes version that it claims, such
    as `1.34`; empty for the newest that it knows.
    """

    def __init__(self, folder: Path, *, ready_delay: float = READY_DELAY, version: str = "") -> None:
        self.folder = folder
        self._wanted = {"dir": str(folder.absolute()), "ready_delay": ready_delay, "version": version}
        self._lent: socket.socket | None = None

    def start(self) -> None:
        """Start it with what its folder holds. Raises ClusterUnreachable."""
        if self._lent is None:
            self._lent = host().lend(**self._wanted)
            self.client.raw("POST", REQUESTS, {"keep": KEPT_REQUESTS})

    def stop(self) -> None:
        """Stop it and wait until it is gone; its objects stay in the folder. Stopping twice is no error."""
        if self._lent is None:
            return
        self.client.disconnect()
        with contextlib.suppress(OSError):  # it is gone already, or somebody killed it
            # It reads the end and stops; its side of the connection closes with its process.
            self._lent.shutdown(socket.SHUT_WR)
            self._lent.recv(1)
        self._lent.close()
        self._lent = None

    def restart(self) -> None:
        """Stop and start it, as a cluster that was away for a moment: same objects, other address and token."""
        self.stop()
        self.start()

    def reset(self) -> None:
        """Forget all objects, faults and deployments: a new cluster, behind the same kubeconfig.

        It has another address and token: what still runs with the old ones reaches nothing, so it cannot disturb
        what comes next.
        """
        self.stop()
        for path in (*self.folder.glob("store.db*"), *self.folder.glob(f"{DEPLOYMENTS}*")):
            path.unlink()
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        self.start()

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig (0600); its one context is the current one."""
        return self.folder.absolute() / "kubeconfig"

    @property
    def server(self) -> str:
        """The API server's URL, `https://127.0.0.1:PORT`."""
        return str(self._state()["url"])

    @property
    def token(self) -> str:
        """The bearer token; without it everything but /readyz is 401."""
        return str(self._state()["token"])

    @property
    def ca(self) -> Path:
        """The certificate authority that signed the server's certificate, as a PEM file."""
        return self.folder.absolute() / "ca.crt"

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs beside its own environment: KUBECONFIG, and KUBECACHEDIR for kubectl and helm.

        They keep discovery by host and port, and the next sandbox may get a port that another one had.
        """
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder.absolute() / "cache")}

    @cached_property
    def client(self) -> Client:
        """A small client; it finds the sandbox again after `reset` and `restart`."""
        return Client(self.kubeconfig)

    def fail(self, verb: Patterns = "", kind: Patterns = "", **how: Unpack[Fault]) -> None:
        """Make the next request fail that matches; see `Fault` for how. Faults wait in line, oldest first.

        `verb` is the API's (get, list, watch, create, update, patch, delete, deletecollection), `kind` a kind
        (`Pod`) or a resource (`pods`, `deployments.apps`); empty ones match all. Everybody meets faults, `client`
        too, and programs that repeat failed requests need `times`. Raises ClusterError for a fault that makes no
        sense.
        """
        self.client.raw("POST", FAULTS, {"verb": verb, "kind": kind, **how})

    def heal(self) -> None:
        """Forget all faults that have not happened."""
        self.client.raw("DELETE", FAULTS)

    @property
    def faults_left(self) -> int:
        """How many faults have not happened (all times) yet."""
        return int(self.client.raw("GET", FAULTS)["waiting"])

    def requests(self, **only: Any) -> list[dict[str, Any]]:
        """What was asked since the start (the last 10,000), oldest first, by everybody; those with these members.

        An entry has `at`, `seconds`, `method`, `path`, `query`, `verb`, `kind`, `namespace`, `name`,
        `subresource`, `agent`, `manager`, `dry_run`, `status` (0: the client saw none) and `outcome`. Bodies are
        not kept.
        """
        found = self.client.raw("GET", REQUESTS)["requests"]
        return [entry for entry in found if all(entry.get(name) == value for name, value in only.items())]

    def forget_requests(self) -> None:
        """Start `requests` afresh."""
        self.client.raw("DELETE", REQUESTS)

    def drop_watches(self) -> int:
        """Cut the connections of all open watches; tells how many there were."""
        return int(self.client.raw("DELETE", f"{CONTROL}/watches")["dropped"])

    def forget_history(self) -> None:
        """Forget the past, as compaction does: watches and lists from older versions get 410 from now on."""
        self.client.raw("DELETE", f"{CONTROL}/history")

    def advance(self, seconds: float) -> None:
        """Move the time by which schedules of CronJobs are judged."""
        self.client.raw("POST", f"{CONTROL}/clock", {"advance": seconds})

    @property
    def log(self) -> str:
        """What the server complained about; empty when it is well."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "server.json").read_bytes())
        return state

    def __enter__(self) -> KubeSandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def sandbox(
    folder: str | os.PathLike[str] | None = None, *, ready_delay: float = READY_DELAY, version: str = ""
) -> Iterator[KubeSandbox]:
    """A running sandbox for the length of a `with`; without `folder` it leaves nothing behind.

    `ready_delay`: seconds until a simulated pod is ready; `version`: the Kubernetes version that it claims.
    Raises ClusterUnreachable when it does not start.
    """
    if folder is not None:
        with KubeSandbox(Path(folder), ready_delay=ready_delay, version=version) as box:
            yield box
        return
    with (
        tempfile.TemporaryDirectory(prefix="sbkube-sandbox-", ignore_cleanup_errors=True) as made,
        KubeSandbox(Path(made), ready_delay=ready_delay, version=version) as box,
    ):
        yield box
