"""A real run in a pseudo-terminal, seen through a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable

import pyte
import pytest
from shapes import deployment

from .conftest import Bench

if not hasattr(os, "openpty"):
    pytest.skip("there are no pseudo-terminals here", allow_module_level=True)

ROWS, COLUMNS = 16, 60
SLOW = {"sandbox.sbkube.dev/ready-after": "600"}


class Window:
    """A command in a terminal of its own; `until` feeds the screen until it shows something."""

    def __init__(self, bench: Bench, *words: str, **environ: str) -> None:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream, self._ours, self.raw = pyte.ByteStream(self.screen), ours, b""
        env = {**os.environ, "TERM": "xterm-256color", "CI": "", **environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sbkube", *words, "--kubeconfig", str(bench.config)],
            cwd=bench.folder,
            env={name: value for name, value in env.items() if name != "COLUMNS"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, seen: Callable[[str], bool]) -> str:
        """Read on until the screen is as wanted; at the end of the command it must be."""
        while not seen(self.text):
            if not self._read():
                assert seen(self.text), self.text
        return self.text

    def type(self, text: str) -> None:
        """As somebody at the keyboard does."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait()

    def _read(self) -> bool:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


def slow(bench: Bench) -> None:
    made = deployment("web")
    made["spec"]["template"]["metadata"]["annotations"] = SLOW
    bench.write("web.yaml", [made])
    bench.write("after.yaml", [deployment("after")])
    bench.project(
        {
            "web": {"type": "yaml", "manifests": ["web.yaml"]},
            "after": {"type": "yaml", "manifests": ["after.yaml"], "depends_on": ["web"]},
        }
    )


@pytest.mark.skipif("SBKUBE_TEST_KUBECONFIG" in os.environ, reason="only pods of the sandbox are slow at will")
def test_an_interrupted_run_leaves_a_clean_screen_and_the_way_on(bench: Bench) -> None:
    slow(bench)
    window = Window(bench, "apply")
    seen = window.until(lambda text: "0 of 1 ready" in text)
    assert re.search(r"web +0 of 1 ready: Deployment/web", seen)
    assert re.search(r"after +after web", seen)
    window.process.send_signal(2)
    assert window.end() == 130
    assert "stopping: what is in flight is finished" in window.raw.decode()
    assert "go on: sbkube" in window.text and "waiting for" not in window.text
    assert not window.screen.cursor.hidden and window.screen.cursor.x == 0


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"TERM": "dumb"}])
def test_no_line_is_drawn_twice_where_that_makes_no_sense(bench: Bench, environ: dict[str, str]) -> None:
    bench.write("web.yaml", [deployment("web")])
    bench.project({"web": {"type": "yaml", "manifests": ["web.yaml"]}})
    window = Window(bench, "apply", **environ)
    assert window.end() == 0
    assert not re.search(rb"\x1b\[[0-9]*[AJK]", window.raw), "only colours, if anything"
    assert "web: started" in window.text and "✓ web: done in" in window.text


def test_a_locale_without_our_marks_is_no_error(bench: Bench) -> None:
    bench.write("web.yaml", [deployment("web")])
    bench.project({"web": {"type": "yaml", "manifests": ["web.yaml"]}})
    window = Window(bench, "apply", PYTHONIOENCODING="iso-8859-1")
    assert window.end() == 0 and "? web  2 created" in window.text
    listed = Window(bench, "status", "-o", "json", PYTHONIOENCODING="ascii")
    assert listed.end() == 0 and b'"schema": "sbkube/status/v1"' in listed.raw


def test_a_question_is_asked_and_answered(bench: Bench) -> None:
    bench.write("web.yaml", [deployment("web")])
    bench.project({"web": {"type": "yaml", "manifests": ["web.yaml"]}})
    bench.ok("apply")
    window = Window(bench, "delete")
    window.until(lambda text: "delete on sandbox? [y/N]" in text)
    window.type("y\n")
    assert window.end() == 0
    assert "delete success" in window.text and "⠋" not in window.text


def test_no_colour_where_nobody_wants_it(bench: Bench) -> None:
    bench.write("web.yaml", [deployment("web")])
    bench.project({"web": {"type": "yaml", "manifests": ["web.yaml"]}})
    window = Window(bench, "apply", NO_COLOR="1")
    assert window.end() == 0
    assert not re.search(rb"\x1b\[[0-9;]*m", window.raw)


@pytest.mark.skipif("SBKUBE_TEST_KUBECONFIG" in os.environ, reason="only pods of the sandbox are slow at will")
def test_status_is_watched_in_place(bench: Bench) -> None:
    slow(bench)
    window = Window(bench, "status", "--watch")
    window.until(lambda text: "again every 2 s" in text)
    window.process.send_signal(2)
    assert window.end() == 0
    assert window.text.count("HEALTH") == 1 and b"\x1b[3J" not in window.raw
