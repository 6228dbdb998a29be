"""What the documents say to type is typed, page by page, and prints what they show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_pages import PAGES, REMARKS, ROOT, Step, blocks, differs, steps

from sbkube.api.where import sandbox

RUN = [page for page in PAGES if any(block.runs for block in blocks(page))]
# Nobody is there to say yes, `serve` goes on until it is stopped, and what is installed stays as it is.
PRELUDE = """
sbkube() {
  case " $* " in
    *" serve "*) serve "$@";;
    *) python -ISs "$ROOT/tests/quick_sbkube.py" "$QUICK" -y "$@";;
  esac
}
serve() {
  command sbkube "$@" > served 2>&1 & until grep -q http served || ! kill -0 $!; do sleep 0.1; done
  kill -INT $! && wait $! || [ $? = 130 ]
}
pip() {
  python -c 'import sys, re, importlib.metadata as m
extra = re.fullmatch(r"sbkube\\[(\\w+)\\]", sys.argv[2])[1]
assert extra in m.metadata("sbkube").get_all("Provides-Extra"), extra' "$@"
}
"""
SANDBOX = """
sbkube sandbox up --ready-delay 0.05 > sandbox.out || cat sandbox.out
export KUBECONFIG="$PWD/.sbkube/sandbox/kubeconfig"
"""


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    run, left_out = [], []
    for page in PAGES:
        for block in blocks(page):
            assert set(block.remarks) <= REMARKS, f"{block.place}: {sorted(block.remarks)}"
            assert block.remarks.get("not run", "why").strip(), f"{block.place}: why is it not run?"
            if block.language == "console":
                (run if block.runs else left_out).append(block.place)
    assert len(run) >= 25 and len(left_out) <= 6, left_out


def test_what_is_shown_must_be_what_is_printed() -> None:
    printed = "apply success in 1.2s\n  a   b\nmore\nrecorded as dep-20260102030405-0a1b2c3d\n"
    assert not differs("apply success in 33s\na b\n…\nrecorded as dep-20270102030405-aaaaaaaa\n", printed)
    assert differs("apply failed in 33s\n…\n", printed)
    assert differs("apply success in 33s\na b\n", printed), "all of it must be shown"


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    """The socket of a process that runs commands."""
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/socket"
        with subprocess.Popen([sys.executable, str(ROOT / "tests" / "quick_sbkube.py"), place]) as server:
            while not Path(place).exists():
                assert server.poll() is None
                time.sleep(0.02)
            yield place
            server.kill()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("page", RUN, ids=[str(page.relative_to(ROOT)) for page in RUN])
def test_a_page_works_as_it_is_written(page: Path, tmp_path: Path, quick: str) -> None:
    if page.is_relative_to(ROOT / "examples"):
        shutil.copytree(page.parent, tmp_path, dirs_exist_ok=True)
    todo = list(steps(page))
    try:
        printed = _shell(todo, tmp_path, quick)
    finally:
        sandbox(tmp_path).down()
    wrong = []
    for step, (code, text) in zip(todo, printed, strict=False):
        if code != step.exits:
            wrong.append(f"{step.place}: {step.command}\nexit {code}\n{text}")
        elif step.shown is not None and (now := differs(step.shown, text)):
            wrong.append(f"{step.place}: {step.command}\nprints now\n{now}")
    assert not wrong, "\n\n".join(wrong)
    assert len(printed) == len(todo), f"the shell ended at {todo[len(printed)].command}"


def _shell(todo: list[Step], folder: Path, quick: str) -> list[tuple[int, str]]:
    """Exit code and output of each step, all in one shell."""
    own = any(re.search(r"--sandbox\b|\bsandbox up\b", step.command) for step in todo)
    lines = [PRELUDE] if own else [PRELUDE, SANDBOX]
    for at, step in enumerate(todo):
        lines += [f"printf '\\n@@begin {at}\\n'", step.command, f"printf '\\n@@end {at} %s\\n' \"$?\""]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=_environment() | {"QUICK": quick},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    return list(_printed(done.stdout))


def _environment() -> dict[str, str]:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {name: value for name, value in os.environ.items() if name != "SBKUBE_STATE_URL"}
    return {**given, "PATH": places, "ROOT": str(ROOT)}


def _printed(text: str) -> Iterator[tuple[int, str]]:
    for found in re.finditer(r"^@@begin (\d+)\n(.*?)\n@@end \1 (\d+)$", text, re.MULTILINE | re.DOTALL):
        yield int(found[3]), found[2]
