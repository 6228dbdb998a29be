"""`make pictures`: the pictures of the terminal and of the web page for the documents, from a real history.

A project is deployed to a simulated cluster in a pseudo-terminal. What a terminal emulator makes of it is drawn as
SVG, at the moment at which the screen first shows some words. Then Chromium looks at the pages of `sbkube serve`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path

import pyte
from pyte.screens import Char

from sbkube.report.markup import Html, drawing, element

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
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
        self.env |= {
            "TERM": "xterm-256color",
            "CI": "",
            "USER": "ann",
            "LOGNAME": "ann",
            "KUBECONFIG": f"{folder}/.sbkube/sandbox/kubeconfig",
        }
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


@contextmanager
def served(terminal: Terminal) -> Iterator[str]:
    """The address of a page that may act."""
    words = [*SBKUBE, "serve", "--port", "0", "--allow-actions"]
    with subprocess.Popen(
        words, cwd=terminal.folder, env=terminal.env, text=True, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            found = (re.search(r"http://\S+", line) for line in server.stdout)
            yield [match[0] for match in islice(filter(None, found), 2)][1]
        finally:
            server.terminate()


def pages(address: str) -> None:
    """The timeline, the first deployment, and the plan of a rollback."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1180, "height": 900}, color_scheme="dark")
        page.goto(address)
        page.screenshot(path=PICTURES / "web-deployments.png", full_page=True)
        page.locator("tbody th a").last.click()
        page.screenshot(path=PICTURES / "web-deployment.png")
        page.go_back()
        page.locator("tbody th a").first.click()
        page.get_by_role("button", name="Roll back to before it").click()
        page.wait_for_url("**/plan?*")
        page.screenshot(path=PICTURES / "web-plan.png")
        chromium.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "shop"
        shutil.copytree(ROOT / "examples" / "01-quickstart", folder)
        terminal = Terminal(folder, ready_delay=3)
        try:
            apply = terminal.typed("apply", "-y", until="helm install cache  ")
            title = "sbkube apply: a plan, and a tree of apps at work"
            (PICTURES / "terminal-apply.svg").write_text(svg(apply, title) + "\n", "utf-8")
            values = folder / "values" / "web.yaml"
            for greeting in ("good evening", "good night"):
                values.write_text(f"greeting: {greeting}\nimage: nginx:1.29\n", "utf-8")
                terminal.quietly("apply", "-y")
            with served(terminal) as address:
                pages(address)
        finally:
            terminal.quietly("sandbox", "down")


if __name__ == "__main__":
    main()
