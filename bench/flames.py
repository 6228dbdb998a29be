"""`python -m bench.flames`: where the time of each workload goes, as flame graphs in docs/pictures/.

py-spy looks at the stacks of all threads from outside, a thousand times a second; waiting threads are not counted.
What is drawn is static SVG: a frame is as wide as its share of the looks, and hangs below its caller. Narrow ones
are left out.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.filling import fill
from bench.measure import run
from bench.report import ROOT
from bench.servers import Place, place, server
from bench.steps import FULL, SBKUBE, apply, prepare
from bench.workload import Workload
from sbkube.report.markup import Html, drawing, element

PICTURES = ROOT / "docs" / "pictures"
RATE = 1000  # looks a second
ROW, WIDTH, HEAD, NARROW = 17, 1100, 24, 0.008
STYLE = """
text { font: 11px ui-monospace, monospace; fill: #1c2128; } .head { fill: #59636e; }
rect { stroke: #fff; stroke-width: .5; } .import rect { fill: #c9d1d9; } .sbkube rect { fill: #ffb77c; }
.library rect { fill: #ffdf8c; } .python rect { fill: #d8e6f5; }
"""


@dataclass
class Frame:
    """A function with everything that it called; `looks` is how often it was seen."""

    name: str
    looks: int = 0
    below: dict[str, Frame] = field(default_factory=dict)


def tree(collapsed: str) -> Frame:
    """Frames out of lines `outer;inner;innermost 12`; the machinery of imports is left out."""
    root = Frame("all")
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        root.looks += int(count)
        frame = root
        for name in stack.split(";"):
            if "<frozen importlib" in name or name.startswith("process "):
                continue
            frame = frame.below.setdefault(name, Frame(name))
            frame.looks += int(count)
    return root


def svg(root: Frame, title: str) -> Html:
    """The flame graph, callers above."""
    drawn = list(_drawn(root, 0.0, 0, root.looks))
    height = HEAD + ROW * (1 + max((depth for _, depth in drawn), default=0)) + 4
    return drawing(
        WIDTH,
        height,
        title,
        element("style", STYLE),
        element("text", f"{title}: {root.looks} looks", x=2, y=15, class_="head"),
        *(part for part, _ in drawn),
        xmlns="http://www.w3.org/2000/svg",
    )


def _drawn(frame: Frame, x: float, depth: int, whole: int) -> Iterator[tuple[Html, int]]:
    for one in sorted(frame.below.values(), key=lambda found: found.name):
        wide = one.looks / whole * WIDTH
        if wide >= NARROW * WIDTH:
            yield _box(one, x, depth, wide, whole), depth
            yield from _drawn(one, x, depth + 1, whole)
        x += wide


def _box(frame: Frame, x: float, depth: int, wide: float, whole: int) -> Html:
    y, letters = HEAD + depth * ROW, int(wide / 6.7)
    text = frame.name if len(frame.name) <= letters else frame.name[: letters - 1] + "…"
    return element(
        "g",
        element("title", f"{frame.name}: {frame.looks / whole:.1%}"),
        element("rect", x=round(x, 1), y=y, width=round(wide, 1), height=ROW),
        element("text", text, x=round(x + 2, 1), y=y + 12) if letters > 3 else "",
        class_=_whose(frame.name),
    )


def _whose(name: str) -> str:
    if name.startswith("<module>"):
        return "import"
    if "sbkube/" in name:
        return "sbkube"
    return "library" if "/" in name else "python"


def looked_at(words: Sequence[str], env: Mapping[str, str], folder: Path) -> Frame:
    """The frames of one run of a command. Raises CommandFailed."""
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if spy is None:
        sys.exit("py-spy is missing: pip install py-spy")
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "stacks"
        begin = [spy, "record", "--format", "raw", "--rate", str(RATE), "--nolineno", "--output", str(out)]
        run([*begin, "--", *words], env, folder)
        return tree(out.read_text("utf-8"))


def draw(name: str, title: str, words: Sequence[str], side: Place) -> None:
    """Run `sbkube WORDS` under the eyes of py-spy and write docs/pictures/flame-NAME.svg."""
    print(f"{title} …", file=sys.stderr, flush=True)
    found = looked_at([*SBKUBE, *words], side.env, side.folder / "work")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"flame-{name}.svg").write_text(svg(found, title) + "\n", "utf-8")


def main() -> None:
    """Draw all workloads."""
    with server() as side:
        prepare(side, FULL.deploy)
        draw("apply", "P1: apply of 8 releases and 100 ConfigMaps, fresh", ["apply", "-y"], side)
        apply(side)()
        draw("unchanged", "P2: the same again, nothing changed", ["apply", "-y"], side)
        draw("plan", "the plan of the same", ["plan"], side)
    with server() as side:
        prepare(side, FULL.many)
        draw("many", "P4: apply of 1,000 ConfigMaps, fresh", ["apply", "-y"], side)
        draw("many-unchanged", "P5: the same again, nothing changed", ["apply", "-y"], side)
    with place() as side:
        fill(side.env["SBKUBE_STATE_URL"], 200, 50, print)
        Workload(0, 1, 1).write(side.folder / "work")
        draw("history", "P9: history", ["history"], side)


if __name__ == "__main__":
    main()
