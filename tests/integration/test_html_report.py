"""`show --html` of a real deployment."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from integration.conftest import Bench

from sbkube.api import open_project


def config(name: str, kind: str = "ConfigMap", **data: str) -> dict[str, Any]:
    body = "stringData" if kind == "Secret" else "data"
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, body: data}


def test_a_deployment_becomes_one_file(bench: Bench) -> None:
    bench.write("a.yaml", [config("a", text="</pre><script>x()</script>"), config("s", "Secret", pin="clear-pin")])
    bench.project({"a": {"type": "yaml", "manifests": ["a.yaml"]}, "b": {"type": "noop", "depends_on": ["a"]}})
    bench.ok("apply", "-y")
    assert bench.ok("show", "latest", "--html", "report.html").out == "written: report.html\n"
    file = bench.folder / "report.html"
    page = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "<script" not in page and "&lt;script&gt;x()" in page
    assert "clear-pin" not in page and "Y2xlYXItcGlu" not in page
    assert page.count("<svg") == 2 and "ConfigMap/a" in page
    found = bench.ok("show", "--html", "report.html", "-o", "json").json
    assert found["schema"] == "sbkube/show/v1"


def test_a_file_that_cannot_be_written_is_a_usage_error(bench: Bench) -> None:
    bench.write("a.yaml", config("a"))
    bench.project({"a": {"type": "yaml", "manifests": ["a.yaml"]}})
    bench.ok("apply", "-y")
    ran = bench.sbkube("show", "--html", "nowhere/report.html")
    assert ran.code == 2 and "cannot be written" in ran.err


def test_what_became_a_secret_later_is_hidden_in_what_was_before(bench: Bench, tmp_path: Path) -> None:
    def deploy(pin: str, **settings: Any) -> str:
        bench.write("a.yaml", config("a", pin=pin, colour=pin))
        bench.project({"a": {"type": "yaml", "manifests": ["a.yaml"]}}, **settings)
        return str(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])

    def shown() -> list[str]:
        ways = (("show", first, "-v"), ("history", "--diff", f"{first},{second}"))
        bench.ok("show", first, "--html", "report.html")
        return [(bench.folder / "report.html").read_text(), *(bench.ok(*words).out for words in ways)]

    def without_a_project() -> str:
        inside, bench.folder = bench.folder, elsewhere
        try:
            return bench.ok("show", first, "-v").out
        finally:
            bench.folder = inside

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first, second = deploy("4711-a"), deploy("4711-b")
    assert all("pin: 4711" in text for text in [*shown(), without_a_project()])
    deploy("4711-c", sensitive=["data.pin"])
    for text in [*shown(), without_a_project()]:
        assert "pin: 4711" not in text and "pin: (masked" in text and "colour: 4711" in text
    with open_project(bench.folder) as project:
        assert project.hidden_paths([project.show(first).deployment]) == ("data.pin",)
