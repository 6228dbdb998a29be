"""The pictures of the benchmark: the table, and flame graphs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bench import flames, picture
from bench.measure import Measurement

STACKS = """\
process 1:"sbkube";main (sbkube/cli/main.py);plan (sbkube/api/planning.py) 30
process 1:"sbkube";main (sbkube/cli/main.py);<frozen importlib._bootstrap>;<module> (sqlalchemy/__init__.py) 69
process 1:"sbkube";main (sbkube/cli/main.py);rare (a.py) 1
"""


def texts(svg: str) -> list[str]:
    return ["".join(part.itertext()) for part in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def test_frames_are_as_wide_as_they_were_seen() -> None:
    root = flames.tree(STACKS)
    (main,) = root.below.values()
    assert (root.looks, main.looks) == (100, 100)
    assert {name: below.looks for name, below in main.below.items()} == {
        "plan (sbkube/api/planning.py)": 30,
        "<module> (sqlalchemy/__init__.py)": 69,
        "rare (a.py)": 1,
    }
    drawn = flames.svg(root, "P2 <again>")
    assert texts(drawn)[:2] == ["P2 <again>", "main (sbkube/cli/main.py): 100.0%"]
    assert "plan (sbkube/api/planning.py): 30.0%" in texts(drawn)


def test_a_picture_says_what_was_reached() -> None:
    found = [
        Measurement("P1", "apply", "helm & kubectl", 0.35, (1.0, 1.2), (2.0, 2.0)),
        Measurement("P8", "help", "python", 6, (0.05,), (0.01,)),
    ]
    drawn = picture.svg(found)
    assert "P1  apply, against helm & kubectl: 0.55, goal 0.35" in texts(drawn)
    assert drawn.count('class="met"') == drawn.count('class="missed"') == 1
    assert picture.place(0.1) < picture.place(1) < picture.place(10) == picture.place(10)
    assert picture.place(1e9) == picture.place(100)
