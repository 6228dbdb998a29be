"""Programs: run, timed out, cancelled, masked, left alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sbkube.edges import process
from sbkube.edges.process import Command
from sbkube.errors import ToolMissing

PYTHON = sys.executable


def script(text: str, **more: object) -> Command:
    return Command((PYTHON, "-c", text), **more)  # type: ignore[arg-type]


def test_output_input_environment_and_code(tmp_path: Path) -> None:
    code = (
        "import os,sys; print(sys.stdin.read(), os.environ['A'], os.getcwd());"
        "sys.stderr.write('x\\noh no\\n'); sys.exit(3)"
    )
    done = process.run(script(code, env={"A": "b"}, stdin=b"hello", folder=tmp_path))
    assert done.output.split() == ["hello", "b", str(tmp_path.resolve())]
    assert (done.code, done.ok, done.ended, done.complaint) == (3, False, "exit", "oh no")


def test_a_timeout_stops_children_too(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = "import time; time.sleep(60)"
    code = (
        "import subprocess,sys,time; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]]);"
        f"open({str(mark)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    )
    started = time.monotonic()
    done = process.run(Command((PYTHON, "-c", code, child), timeout=1))
    assert done.ended == "timeout"
    assert not done.ok
    assert time.monotonic() - started < 5
    time.sleep(0.1)
    assert not process.alive(int(mark.read_text()))


def test_cancelling() -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    done = process.run(script("import time; print('begun', flush=True); time.sleep(60)"), cancel)
    assert done.ended == "cancelled"
    assert done.seconds < 5


def test_a_stubborn_program_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    code = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    )
    done = process.run(script(code, timeout=1))
    assert done.code == -9
    assert done.stdout == b"x\n"


def test_missing_programs_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-tool is not installed") as caught:
        process.run(Command(("no-such-tool",), install_hint="pip install no-such-tool"))
    assert caught.value.hint == "pip install no-such-tool"
    plain = tmp_path / "plain"
    plain.write_text("x")
    with pytest.raises(ToolMissing, match="cannot be started: Permission denied"):
        process.run(Command((str(plain),)))


def test_secrets_are_masked_when_shown() -> None:
    command = Command(("login", "-p", "it's it", "--key=it's", ""), secrets=("it's", "it's it", ""))
    assert command.redacted == "login -p '********' '--key=********' ''"
    assert "pass" not in repr(Command(("x",), env={"P": "pass"}, stdin=b"pass", secrets=("pass",)))


def test_a_daemon_outlives_and_is_ended_by_number(tmp_path: Path) -> None:
    log = tmp_path / "log"
    daemon = process.spawn(script("import time; print('here', flush=True); time.sleep(60)"), log)
    deadline = time.monotonic() + 10
    while "here" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert log.stat().st_mode & 0o777 == 0o600
    assert daemon.code is None
    assert process.alive(daemon.pid)
    assert process.terminate(daemon.pid)
    assert not process.alive(daemon.pid)
    assert process.terminate(daemon.pid)


def test_attached_gives_the_code() -> None:
    assert process.attached(script("import sys; sys.exit(7)")) == 7
    with pytest.raises(ToolMissing):
        process.attached(Command(("no-such-tool",)))


@pytest.mark.skipif(process._setpriv() is None, reason="needs the setpriv of util-linux")
def test_a_program_does_not_outlive_us(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    inner = f"import os,time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"from sbkube.edges.process import *; run(Command(({PYTHON!r}, '-c', {inner!r})))"
    with subprocess.Popen((PYTHON, "-c", code)) as parent:
        deadline = time.monotonic() + 30
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
    while process.alive(int(mark.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process.alive(int(mark.read_text()))
