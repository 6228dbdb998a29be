"""`show --html` of a real deployment."""

from __future__ import annotations

import stat
from typing import Any

from integration.conftest import Bench


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
