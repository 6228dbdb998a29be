"""The tutorial is run from the first block to the last, as somebody would paste it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_tutorial_works(tmp_path: Path) -> None:
    lines = ["set -eu"]
    for language, block in BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text("utf-8")):
        if language == "yaml":
            name = re.match(r"# (\S+)\n", block)
            assert name, "a file of the tutorial begins with its name"
            lines += [f'mkdir -p "$(dirname {name[1]})"', f"cat > {name[1]} <<'END'\n{block}END"]
        else:
            assert language == "console"
            lines.append(block)
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)],
            cwd=tmp_path,
            env={**os.environ, "PATH": places},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        subprocess.run([sys.executable, "-m", "sbkube", "sandbox", "down"], cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "greeting: good evening" in done.stdout and "rollback success" in done.stdout
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
