"""The documents as a website, where zensical is installed: every link leads somewhere, every picture is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

pytest.importorskip("zensical", reason="zensical is not installed: make docs")
ROOT = Path(__file__).resolve().parent.parent
HOME = "https://site.test/"


class Page(HTMLParser):
    """Names of places on a page, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names, self.links, self.words = set[str](), set[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names |= {value for name in ("id", "name") if (value := given.get(name))}
        self.links |= {value for name in ("href", "src") if (value := given.get(name)) and tag != "link"}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """All pages of the site by their addresses; files that are no pages have no names."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for file in (folder / "site").rglob("*"):
        place = file.relative_to(folder / "site").as_posix()
        if file.is_file():
            address = HOME + place.removesuffix("index.html")
            found[address] = Page(file.read_text("utf-8") if file.suffix == ".html" else "")
    return found


def test_every_link_leads_somewhere(site: dict[str, Page]) -> None:
    dead = defaultdict(set)
    for address, page in site.items():
        for link in page.links:
            to = urlsplit(urljoin(address, link))
            if f"{to.scheme}://{to.netloc}/" != HOME or address.endswith("404.html"):
                continue
            there = site.get(HOME + unquote(to.path).lstrip("/").removesuffix("index.html"))
            if there is None or (to.fragment and unquote(to.fragment) not in there.names):
                dead[address].add(link)
    assert not dead, dict(dead)


def test_every_page_is_in_the_menu() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    listed = list(_pages(nav))
    written = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(page for page in written if not page.startswith("adr/0")), (
        "decisions: on one page"
    )
    assert [title for group in nav for title in group] == [
        "Start",
        "Tutorial",
        "How-to",
        "Reference",
        "Explanation",
    ]


def _pages(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for below in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
        yield from _pages(below)


def test_remarks_for_the_tests_are_not_seen(site: dict[str, Page]) -> None:
    for address, page in site.items():
        assert "<!--" not in "".join(page.words), address
