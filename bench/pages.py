"""`python -m bench.pages [--docs]`: how long `sbkube serve` takes for each of its pages with a long past.

The clock runs from the request to the last byte of the answer, over one connection to a real server.
"""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

from bench.filling import fill
from bench.report import PAGE, machine, replaced
from bench.servers import place
from bench.steps import SBKUBE
from sbkube.api import open_browser

BEGIN, END = "<!-- pages: begin (made by `python -m bench.pages --docs`) -->", "<!-- pages: end -->"
DEPLOYMENTS, OBJECTS = 10_000, 200
TURNS = 20
HEAD = "| page | median | slowest | size |"


class Reader:
    """A browser that keeps its connection and its session."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = http.client.HTTPConnection(parts.netloc)
        self._session = ""
        cookie, _ = self._asked(f"{parts.path}?{parts.query}")
        self._session = cookie.partition(";")[0]

    def _asked(self, path: str) -> tuple[str, bytes]:
        self._server.request("GET", path, headers={"Cookie": self._session})
        answer = self._server.getresponse()
        body = answer.read()
        if answer.status not in (200, 303):
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return answer.headers.get("Set-Cookie", ""), body

    def row(self, what: str, path: str) -> str:
        """A page, asked for again and again."""
        times, size = [], 0
        for _ in range(TURNS):
            began = time.perf_counter()
            size = len(self._asked(path)[1])
            times.append((time.perf_counter() - began) * 1000)
        return f"| {what} | {median(times):.0f} ms | {max(times):.0f} ms | {size / 1000:.0f} kB |"


@contextmanager
def serving(url: str, env: dict[str, str], folder: Path) -> Iterator[Reader]:
    """The server, and somebody who has opened its address."""
    words = [*SBKUBE, "serve", "--port", "0", "--state-url", url]
    with subprocess.Popen(words, env=env, cwd=folder, text=True, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stdout)))
            yield Reader(found[0])
        finally:
            server.terminate()


def pages(url: str) -> Iterator[tuple[str, str]]:
    """What a page is, and its address."""
    browser = open_browser(url)
    newest, first = browser.record("latest"), browser.record(f"latest~{DEPLOYMENTS - 1}").deployment_id
    timeline = browser.timeline(size=50)
    older, rest = timeline.records[-1].deployment_id, timeline.rest
    browser.close()
    key = {"cluster": newest.cluster_uid, "version": "v1", "kind": "ConfigMap", "namespace": "bench"}
    one = {**key, "name": "settings-0000"}
    yield "deployments", "/"
    yield "the next 50", "/?" + urlencode({"rest": rest})
    yield "those of one app", "/?app=settings"
    yield "those that failed (none)", "/?status=failed"
    yield "those that were rolled back (none)", "/?status=rolled_back"
    yield "a search that finds nothing", "/?text=nowhere"
    yield "one deployment", "/deployment?" + urlencode({"id": newest.deployment_id})
    yield "one that created 200 objects", "/deployment?" + urlencode({"id": first})
    yield "objects of an app", "/objects?" + urlencode({"id": first, "app": "settings"})
    yield "two deployments compared", "/compare?" + urlencode({"a": older, "b": newest.deployment_id})
    yield "one object through time", "/object?" + urlencode(one)
    yield "one of its fields", "/object?" + urlencode({**one, "field": "data.version"})


def main() -> None:
    """Measure, print, and with --docs keep."""
    on = machine()
    with place() as own:
        url = own.env["SBKUBE_STATE_URL"]
        fill(url, DEPLOYMENTS, OBJECTS, lambda text: print(text, file=sys.stderr, flush=True))
        with serving(url, own.env, own.folder) as reader:
            rows = [reader.row(*page) for page in pages(url)]
    where = f"{on['cpus']} CPUs ({on['cpu']}), Python {on['python']}, sbkube {on['sbkube']} ({on['commit']})"
    past = f"{DEPLOYMENTS:,} deployments of {OBJECTS} objects in SQLite, each page {TURNS} times"
    text = "\n".join([HEAD, "| --- " * 4 + "|", *rows, "", f"{datetime.now(UTC).date()}, {where}; {past}."])
    print(text)
    if "--docs" in sys.argv[1:]:
        PAGE.write_text(replaced(PAGE.read_text("utf-8"), BEGIN, text, END), "utf-8")


if __name__ == "__main__":
    main()
