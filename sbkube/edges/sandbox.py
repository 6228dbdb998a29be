"""Starting and stopping the simulated Kubernetes API of a folder, which runs as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sbkube.edges import kubeconfig, process
from sbkube.edges.connection import Connection, Limits, Request
from sbkube.errors import ClusterUnreachable, SbkubeError, UsageError

MODULE = "sbkube.sandbox.server"
TAKEN = 3  # the server's exit code when another one has the folder
IGNORE = "*\n"
UNTOUCHED = ("", IGNORE)  # empty where a disk was full
LOOK = 0.03  # seconds between two looks while it starts
MARKS = {"store.db", "server.json", "lock"}  # what only a sandbox's folder has
OWN_FILES = (
    "store.db",
    "store.db-wal",
    "store.db-shm",
    "server.json",
    "kubeconfig",
    "ca.crt",
    "server.log",
    "lock",
)


class Sandbox:
    """The sandbox in one folder. Objects stay there when it is down."""

    def __init__(self, folder: Path | str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = Path(folder).absolute()
        self._environ = os.environ if environ is None else environ

    def kubeconfig(self) -> Path:
        """Where its kubeconfig is, also while it is down."""
        return self.folder / "kubeconfig"

    def log(self) -> Path:
        """Where the server writes its complaints."""
        return self.folder / "server.log"

    def up(
        self,
        *,
        port: int = 0,
        kubernetes_version: str | None = None,
        ready_delay: float | None = None,
        timeout: float = 20,
    ) -> Path:
        """Start it unless it runs, wait until it answers, and give its kubeconfig.

        `port` 0 is any free one; `ready_delay` are the seconds until simulated pods are ready. A server that runs
        already keeps what it was started with. Raises ClusterUnreachable with the log's last lines when it has
        not answered after `timeout` seconds, UsageError when the folder has other people's files.
        """
        if self.status() is not None:
            return self.kubeconfig()
        options = ["--port", str(port)]
        if kubernetes_version is not None:
            options += ["--kubernetes-version", kubernetes_version]
        if ready_delay is not None:
            options += ["--ready-delay", str(ready_delay)]
        self._make_folder()
        try:
            daemon = process.spawn(self._command(options), self.log())
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._await(daemon, timeout)
        finally:
            daemon.detach()
        return self.kubeconfig()

    def down(self) -> bool:
        """Stop it; tells whether it ran. Its objects stay."""
        state = self._state()
        if state is None or not self._ours(state):
            return False
        gone = process.terminate(int(state["pid"]))
        if not gone:
            raise ClusterUnreachable(f"the sandbox (process {state['pid']}) does not end", hint="kill it by hand")
        (self.folder / "server.json").unlink(missing_ok=True)
        return True

    def status(self) -> Mapping[str, Any] | None:
        """`url`, `pid`, `port`, `started` and `kubeconfig` of the server if it answers, else None."""
        state = self._state()
        if state is None or not process.alive(int(state["pid"])) or not self._answers():
            return None
        facts = {name: state[name] for name in ("url", "pid", "port", "started") if name in state}
        return facts | {"kubeconfig": str(self.kubeconfig())}

    def reset(self) -> None:
        """Stop it and forget all its objects. Raises UsageError for a folder that is not a sandbox's."""
        self._refuse_foreign()
        self.down()
        for name in OWN_FILES:
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        ignore = self.folder / ".gitignore"
        if self.folder.is_dir() and list(self.folder.iterdir()) == [ignore] and ignore.read_text() == IGNORE:
            ignore.unlink()
        with contextlib.suppress(OSError):  # somebody keeps other files there, or it never was
            self.folder.rmdir()

    def environment(self) -> dict[str, str]:
        """What a command needs to talk to it and to nothing else."""
        # kubectl keeps discovery by host and port, which the next sandbox may have too.
        return {"KUBECONFIG": str(self.kubeconfig()), "KUBECACHEDIR": str(self.folder / "cache")}

    def run(self, command: Sequence[str]) -> int:
        """Run a command with `KUBECONFIG` set, the sandbox up for as long as it takes; gives its exit code."""
        ran = self.status() is not None
        self.up()
        try:
            env = dict(self._environ) | self.environment()
            code = process.attached(process.Command(tuple(command), env=env))
            return code if code >= 0 else 128 - code  # ended by a signal: what a shell would say
        finally:
            if not ran:
                self.down()

    def _make_folder(self) -> None:
        self._refuse_foreign()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists() or not ignore.read_text():
                ignore.write_text(IGNORE)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> ClusterUnreachable:
        return ClusterUnreachable(
            f"the sandbox needs the folder {self.folder}: {error.strerror}",
            hint="check its permissions and the free space",
        )

    def _refuse_foreign(self) -> None:
        """A folder with somebody's files is not taken: a `kubeconfig` there would be overwritten."""
        ignore = self.folder / ".gitignore"
        try:
            names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
            ours = not names or bool(names & MARKS) or (ignore.exists() and ignore.read_text() in UNTOUCHED)
        except OSError as error:
            raise self._unusable(error) from error
        if not ours:
            raise UsageError(
                f"{self.folder} is no folder of a sandbox, and not empty", hint="name a new folder for it"
            )

    def _command(self, options: Sequence[str]) -> process.Command:
        # -P: nothing in the current folder may shadow a module; the path leads to this very sbkube.
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, self._environ.get("PYTHONPATH", ""))))
        argv = (sys.executable, "-P", "-m", MODULE, "--dir", str(self.folder), *options)
        return process.Command(argv, env=dict(self._environ) | {"PYTHONPATH": path}, folder=self.folder)

    def _await(self, daemon: process.Daemon, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            code = daemon.code
            if code is not None and code != TAKEN:
                raise self._failed(f"ended with code {code}")
            state = self._state()
            # After a kill the old server.json is still there; wait for the one of the process just started, or,
            # when somebody else was quicker, for theirs.
            fresh = state is not None and (state["pid"] == daemon.pid or code == TAKEN)
            if fresh and self.status() is not None:
                return
            time.sleep(LOOK)
        raise self._failed(f"did not answer within {timeout:.0f} s")

    def _failed(self, what: str) -> ClusterUnreachable:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = [line.strip() for line in self.log().read_text(errors="replace").splitlines() if line.strip()]
        said = "; ".join(lines[-3:]) or "it wrote nothing"
        return ClusterUnreachable(f"the sandbox {what}: {said}", hint=f"its log is {self.log()}")

    def _state(self) -> Mapping[str, Any] | None:
        try:
            state = json.loads((self.folder / "server.json").read_text())
        except (OSError, ValueError):
            return None  # down, or being written this instant
        return state if isinstance(state, dict) and isinstance(state.get("pid"), int) else None

    def _ours(self, state: Mapping[str, Any]) -> bool:
        """Whether the recorded process is a sandbox: after a crash its number may belong to somebody else."""
        pid = int(state["pid"])
        if not process.alive(pid):
            return False
        try:
            return MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return self._answers()

    def _answers(self) -> bool:
        limits = Limits(connect=2, read=5, retries=0)
        try:
            access = kubeconfig.load(str(self.kubeconfig()), None, {})
            connection = Connection(access, most=1, limits=limits)
            try:
                connection.request(Request("GET", "/readyz", accept="*/*"))
            finally:
                connection.close()
        except SbkubeError:
            return False
        return True
