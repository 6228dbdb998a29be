"""Every block of code in the documents can be read by what it is written for."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from doc_pages import PAGES, ROOT, blocks

from sbkube.report import schemas

LANGUAGES = {
    "yaml",
    "python",
    "console",
    "text",
    "json",
    "toml",
    "sql",
    "mermaid",
    "make",
    "dockerfile",
    "ini",
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


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_blocks_can_be_read(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.place}: say how such blocks are checked"
        _read(block.language, block.text)


def test_documents_of_ours_are_what_their_schemas_say() -> None:
    checked = []
    for page in PAGES:
        for block in blocks(page):
            document = json.loads(block.text) if block.language == "json" and "…" not in block.text else None
            if isinstance(document, dict) and str(document.get("schema", "")).startswith("sbkube/"):
                jsonschema.validate(document, schemas.schema(document["schema"].split("/")[1]))
                checked.append(block.place)
    assert checked, "no page shows a document"


def test_the_site_is_described() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    assert (ROOT / config["docs_dir"] / "index.md").exists()
    assert f"{config['site_dir']}/" in (ROOT / ".gitignore").read_text("utf-8")


def test_the_front_page_names_every_page() -> None:
    front = (ROOT / "docs" / "index.md").read_text("utf-8")
    beside = {"index.md", "sandbox-clients.md", "sandbox-differences.md"}
    pages = [p for p in (ROOT / "docs").glob("*.md") if p.name not in beside]
    pages += list((ROOT / "docs" / "reference").glob("*.md"))
    missing = [p.name for p in pages if f"({p.relative_to(ROOT / 'docs').as_posix()}" not in front]
    assert missing == []
