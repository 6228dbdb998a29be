"""Every block of code in the documents can be read by what it is written for."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LANGUAGES = {
    "yaml",
    "python",
    "console",
    "text",
    "json",
    "toml",
    "sh",
    "sql",
    "mermaid",
    "make",
    "dockerfile",
    "ini",
    "",
}


def _read(language: str, block: str) -> None:
    if language == "yaml" and "{{" not in block:
        list(yaml.safe_load_all(block))
    elif language == "python":
        ast.parse(block)
    elif language == "json" and "…" not in block:
        json.loads(block)
    elif language == "toml":
        tomllib.loads(block)
    elif language == "sh" and shutil.which("bash"):
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", sorted(PAGES), ids=[str(p.relative_to(ROOT)) for p in sorted(PAGES)])
def test_blocks_can_be_read(page: Path) -> None:
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        assert language in LANGUAGES, f"{language}: say how such blocks are checked"
        _read(language, block)


def test_the_site_is_described() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    assert (ROOT / config["docs_dir"] / "index.md").exists()
    assert f"{config['site_dir']}/" in (ROOT / ".gitignore").read_text("utf-8")


def test_the_front_page_names_every_page() -> None:
    front = (ROOT / "docs" / "index.md").read_text("utf-8")
    beside = {"index.md", "formats.md", "sandbox-clients.md", "sandbox-differences.md"}
    pages = [p for p in (ROOT / "docs").glob("*.md") if p.name not in beside]
    pages += list((ROOT / "docs" / "reference").glob("*.md"))
    missing = [p.name for p in pages if f"({p.relative_to(ROOT / 'docs').as_posix()})" not in front]
    assert missing == []
