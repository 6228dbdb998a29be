"""The sandbox against recorded answers of a kube-apiserver, where the recordings lie beside the project.

What may differ is what docs/sandbox-differences.md lists: scenario by scenario, with the number of steps.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sbkube.testing import KubeSandbox, sandbox

ROOT = Path(__file__).resolve().parents[2]
# Beside the project, or beside the folder that holds its worktrees.
PLACES = [folder / "shared" / "conformance" for folder in ROOT.parents[:2]]
RECORDINGS = next((place for place in PLACES if place.is_dir()), PLACES[0])
LEAST = 0.98  # of all steps
FAIL = "sandbox.sbkube.dev/fail=NotReady"
# Timing decides whether the recorded and the present answer meet here: fewer differences are fine.
BY_TIMING = {"05-finalizers"}


def told() -> dict[str, int]:
    """Scenario → differing steps, from the page's table."""
    text = (ROOT / "docs" / "sandbox-differences.md").read_text(encoding="utf-8")
    return {name: int(steps) for name, steps in re.findall(r"^\| ([\w-]+) \| (\d+) \|", text, re.MULTILINE)}


def test_the_page_lists_scenarios() -> None:
    assert told() and set(told()) >= BY_TIMING


def replayed(box: KubeSandbox) -> str:
    command = [sys.executable, str(RECORDINGS / "replay.py"), "--all", "--jobs", "2", "--patience", "60"]
    command += ["--server", box.server, "--token", box.token, "--ca", str(box.ca), "--fail-annotation", FAIL]
    command.append(str(RECORDINGS / "http"))
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout, f"the replay tool said nothing: {ran.stderr[-2000:]}"
    return ran.stdout


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the replay tool says of a sandbox that is as fast as `sbkube sandbox up` makes it."""
    if not (RECORDINGS / "http").is_dir():
        pytest.skip(f"there are no recordings in {RECORDINGS}")
    with sandbox(tmp_path_factory.mktemp("recordings"), ready_delay=0.3) as box:
        text = replayed(box)
        assert box.log == ""
        return text


@pytest.mark.timeout(900)
def test_nearly_all_steps_are_identical(output: str) -> None:
    last = output.strip().splitlines()[-1]
    found = re.fullmatch(r"(\d+) of (\d+) steps, \d+ of \d+ scenarios identical", last)
    assert found, output
    same, steps = int(found[1]), int(found[2])
    assert steps > 500 and same / steps >= LEAST, last


def test_what_differs_is_what_the_page_lists(output: str) -> None:
    rows = re.findall(r"^FAIL http/([\w-]+)\.json: (\d+) of (\d+) steps", output, re.MULTILINE)
    differing = {name: int(steps) - int(same) for name, same, steps in rows}
    expected = {name: count for name, count in told().items() if name not in BY_TIMING or name in differing}
    assert differing == expected, output
