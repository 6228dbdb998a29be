"""Running programs. The only module that imports `subprocess`.

A command is a value that can be shown (`redacted`), so that what is logged and what is run cannot differ. Foreign
programs run in a process group of their own: when they are stopped, their children are stopped too.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from sbkube.errors import ToolMissing
from sbkube.ports import CancelToken

MASK = "********"
GRACE = 5.0  # seconds between asking a program to end and killing it
POLL = 0.1  # seconds between two looks at the cancel token

_DYING = ("--pdeathsig", "TERM", "--")

Ended = Literal["exit", "timeout", "cancelled"]


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `env` replaces the whole environment when given; `timeout` is in seconds.

    `secrets` are texts that `redacted` masks. With `terminal` the program keeps the user's standard input and
    standard error, for programs that ask something.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = field(default=None, repr=False)
    folder: Path | None = None
    stdin: bytes = field(default=b"", repr=False)
    timeout: float | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    terminal: bool = False
    install_hint: str = ""

    @property
    def redacted(self) -> str:
        """The command line as a shell would take it, with every secret masked."""
        # Masked before quoting: a quote inside of a secret would change its text.
        return shlex.join(mask(word, self.secrets) for word in self.argv)


@dataclass(frozen=True, slots=True)
class Completed:
    """What came of a command; `code` is negative for a signal; `ended` tells who ended it."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    seconds: float
    ended: Ended = "exit"

    @property
    def ok(self) -> bool:
        """It ended by itself with code 0."""
        return self.code == 0 and self.ended == "exit"

    @property
    def output(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last non-empty line of standard error, for one-line messages."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def mask(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with every non-empty secret replaced, longest first."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def run(command: Command, cancel: CancelToken | None = None) -> Completed:
    """Run to the end, to the timeout or until cancelled; raises ToolMissing when it cannot be started.

    A program that had to be stopped gets SIGTERM, and SIGKILL after five seconds, with its whole group.
    """
    started = time.monotonic()
    program = _start(command)
    try:
        stdout, stderr, ended = _communicate(program, command, cancel, started)
    except BaseException:  # Ctrl-C above all: no child may outlive us unnoticed
        _stop(program, command.terminal)
        raise
    return Completed(program.returncode, stdout, stderr, time.monotonic() - started, ended)


def attached(command: Command) -> int:
    """Run with our own standard input, output and error, and give the exit code; raises ToolMissing.

    Ctrl-C reaches the program too; we wait for what it makes of it.
    """
    env = None if command.env is None else dict(command.env)
    try:
        program = subprocess.Popen(command.argv, env=env, cwd=command.folder)
    except OSError as error:
        raise _not_startable(command, error) from error
    while True:
        try:
            return program.wait()
        except KeyboardInterrupt:
            continue


def _start(command: Command) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            (*_dying_with_us(command), *command.argv),
            env=None if command.env is None else dict(command.env),
            cwd=command.folder,
            stdin=None if command.terminal else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if command.terminal else subprocess.PIPE,
            start_new_session=not command.terminal,
        )
    except OSError as error:
        raise _not_startable(command, error) from error


def _dying_with_us(command: Command) -> tuple[str, ...]:
    """Words before a command line: on Linux the program gets SIGTERM when we are killed, so that nothing goes on
    that nobody watches. Empty where that cannot be had, or the program cannot be started at all."""
    path = (os.environ if command.env is None else command.env).get("PATH")
    if sys.platform != "linux" or command.terminal or not shutil.which(command.argv[0], path=path):
        return ()
    setpriv = _setpriv()
    return (setpriv, *_DYING) if setpriv else ()


@cache
def _setpriv() -> str | None:
    found = shutil.which("setpriv")
    probe = [found or "", *_DYING, "true"]  # that of BusyBox does not know the option
    known = (
        found and subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    )
    return found if known else None


def _not_startable(command: Command, error: OSError) -> ToolMissing:
    name = command.argv[0]
    if isinstance(error, FileNotFoundError) and (command.folder is None or command.folder.is_dir()):
        return ToolMissing(
            f"{name} is not installed", hint=command.install_hint or f"install {name} or add it to PATH"
        )
    return ToolMissing(f"{name} cannot be started: {error.strerror or error}", hint=command.install_hint or None)


def _communicate(
    program: subprocess.Popen[bytes], command: Command, cancel: CancelToken | None, started: float
) -> tuple[bytes, bytes, Ended]:
    ended: Ended = "exit"
    data = None if command.terminal else command.stdin
    while True:
        left = None if command.timeout is None else command.timeout - (time.monotonic() - started)
        if cancel is not None and cancel.is_set():
            ended = "cancelled"
            break
        if left is not None and left <= 0:
            ended = "timeout"
            break
        wait = left if cancel is None else POLL if left is None else min(POLL, left)
        try:
            stdout, stderr = program.communicate(data, wait)
            return stdout or b"", stderr or b"", ended
        except subprocess.TimeoutExpired:
            data = None  # Popen goes on with what it was given first, and refuses to be given it again
    return *_stop(program, command.terminal), ended


def _stop(program: subprocess.Popen[bytes], terminal: bool) -> tuple[bytes, bytes]:
    """End a program and its group, and return what it had written."""
    _signal(program, signal.SIGTERM, terminal)
    try:
        stdout, stderr = program.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        _signal(program, getattr(signal, "SIGKILL", signal.SIGTERM), terminal)
        stdout, stderr = program.communicate()
    return stdout or b"", stderr or b""


def _signal(program: subprocess.Popen[bytes], number: int, terminal: bool) -> None:
    try:
        if terminal or sys.platform == "win32":
            program.send_signal(number)
        else:
            os.killpg(program.pid, number)
    except (ProcessLookupError, PermissionError):
        return


class Daemon:
    """A process that goes on after us. Keep it as long as you want to know whether it ended early."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        self._program = program
        self.pid = program.pid

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._program.poll()

    def detach(self) -> None:
        """Leave it to itself."""
        # Popen complains when it is collected before its child has ended; this child is meant to outlive it.
        self._program.returncode = self._program.returncode or 0


def spawn(command: Command, log: Path) -> Daemon:
    """Start a process in a session of its own, writing to `log` (0600, started afresh); raises ToolMissing."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        program = subprocess.Popen(
            command.argv,
            env=None if command.env is None else dict(command.env),
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_startable(command, error) from error
    finally:
        os.close(descriptor)
    return Daemon(program)


def alive(pid: int) -> bool:
    """Whether a process of this number runs (on Windows: always true, ask it in another way)."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A dead child that nobody has waited for still has a number.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def terminate(pid: int, wait: float = GRACE) -> bool:
    """Ask a process that is not our child to end, kill it after `wait` seconds; tells whether it is gone."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not alive(pid):
                return True
            time.sleep(0.02)
    return not alive(pid)
