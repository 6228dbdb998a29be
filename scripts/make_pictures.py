"""`make pictures`: draw the terminal for the documents, from a real command on a simulated cluster.

The command runs in a pseudo-terminal. What a terminal emulator makes of it is drawn as SVG, at the moment at which
the screen first shows some words, or at the end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char

from sbkube.report.markup import Html, drawing, element

ROOT = Path(__file__).resolve().parent.parent
SBKUBE = [sys.executable, "-m", "sbkube"]
COLUMNS, ROWS = 80, 60
WIDE, HIGH, EDGE, HEAD = 8, 18, 16, 28  # of a character, of the frame, and of the bar above
Rows = list[list[Char]]
STYLE = """
text { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d1d7e0; white-space: pre; }
.frame { fill: #151b23; } .dot { fill: #656c76; } .bold { font-weight: 700; }
.green { fill: #3fb950; } .red { fill: #f85149; } .brown { fill: #d29922; } .cyan { fill: #39c5cf; }
.brightblack { fill: #9198a1; }
"""


class Terminal:
    """A folder with a project, a sandbox and a history of its own, and a terminal to type in."""

    def __init__(self, folder: Path, ready_delay: float) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SBKUBE_")}
        self.env = {**kept, "HOME": str(folder.parent), "SBKUBE_STATE_URL": str(folder / "deployments.db")}
        self.env |= {"TERM": "xterm-256color", "CI": "", "KUBECONFIG": f"{folder}/.sbkube/sandbox/kubeconfig"}
        self.quietly("sandbox", "up", "--ready-delay", str(ready_delay))

    def quietly(self, *words: str) -> None:
        """Run a command that nobody looks at."""
        subprocess.run([*SBKUBE, *words], cwd=self.folder, env=self.env, check=True, capture_output=True)

    def typed(self, *words: str, until: str = "") -> Rows:
        """What is on the screen when it first shows `until`, or else at the end of the command."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        stream.feed(f"$ sbkube {' '.join(words)}\r\n".encode())
        ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        with subprocess.Popen([*SBKUBE, *words], cwd=self.folder, env=self.env, **ends):
            os.close(theirs)
            while not (until and until in "\n".join(screen.display)):
                if not (data := _read(ours)):
                    break
                stream.feed(data)
            rows = [[screen.buffer[row][column] for column in range(COLUMNS)] for row in range(ROWS)]
            while not "".join(char.data for char in rows[-1]).strip():
                rows.pop()
            while until and _read(ours):
                pass
        os.close(ours)
        return rows


def _read(terminal: int) -> bytes:
    """What has been written to it; nothing when the other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def svg(rows: Rows, title: str) -> Html:
    """The screen as a picture, as high as what stands on it."""
    width, height = COLUMNS * WIDE + 2 * EDGE, HEAD + len(rows) * HIGH + EDGE
    return drawing(
        width,
        height,
        title,
        element("style", STYLE),
        element("rect", width=width, height=height, rx=8, class_="frame"),
        *(element("circle", cx=EDGE + 4 + at * 16, cy=EDGE, r=5, class_="dot") for at in range(3)),
        *(part for at, row in enumerate(rows) for part in _row(row, HEAD + at * HIGH + 13)),
        xmlns="http://www.w3.org/2000/svg",
    )


def _row(row: list[Char], y: int) -> Iterator[Html]:
    """What looks the same stands together; each piece is as wide as it would be on a terminal."""
    at = 0
    for look, chars in groupby(row, key=lambda char: (char.fg, char.bold)):
        text = "".join(char.data for char in chars)
        if text.strip():
            class_ = " ".join([look[0], "bold" * look[1]]).replace("default", "").strip()
            long = len(text.rstrip()) * WIDE
            yield element("text", text.rstrip(), x=EDGE + at * WIDE, y=y, textLength=long, class_=class_ or None)
        at += len(text)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "shop"
        shutil.copytree(ROOT / "examples" / "01-quickstart", folder)
        terminal = Terminal(folder, ready_delay=3)
        try:
            apply = terminal.typed("apply", "-y", until="helm install cache  ")
        finally:
            terminal.quietly("sandbox", "down")
    file = ROOT / "docs" / "pictures" / "terminal-apply.svg"
    file.write_text(svg(apply, "sbkube apply: a plan, and a tree of apps at work") + "\n", "utf-8")
    print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
