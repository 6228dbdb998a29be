"""Charts from repositories, registries and URLs: fetched once, pinned, and refused when they have changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from integration.conftest import Bench
from web_server import Site, packed, serving

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {version: "{{ .Chart.Version }}", colour: "{{ .Values.colour }}"}
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def web(version: str, colour: str = "blue") -> bytes:
    return packed("web", version, {"c.yaml": CONFIG}, f"colour: {colour}\n")


def lock(bench: Bench) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load((bench.folder / "sbkube.lock").read_text())["sources"]
    return found


def live(bench: Bench) -> dict[str, str]:
    from sbkube.edges import cluster, kubeconfig
    from sbkube.models.resource import ResourceKey

    connected = cluster.connect(kubeconfig.load(str(bench.config), None, {}))
    try:
        found = connected.get(ResourceKey("", "v1", "ConfigMap", bench.namespace, "web"))
    finally:
        connected.close()
    assert found is not None
    data: dict[str, str] = found["data"]
    return data


def test_from_a_repository_pinned_upgraded_rolled_back_and_deleted(bench: Bench, site: Site) -> None:
    url = site.chart_repository("charts", {"web": {"1.0.0": web("1.0.0"), "2.0.0": web("2.0.0")}})
    repos = {"helm_repos": {"shop": url}}
    bench.project({"web": {"type": "helm", "chart": "shop/web", "version": "^1.0"}}, **repos)
    bench.ok("apply", "-y")
    assert live(bench)["version"] == "1.0.0"
    [pin] = lock(bench)
    assert (pin["source"], pin["wanted"], pin["found"]) == (f"{url}/web", "^1.0", "1.0.0")

    site.chart_repository("charts", {"web": {"1.0.0": web("1.0.0"), "1.5.0": web("1.5.0")}})
    assert bench.ok("apply", "-y", "-o", "json").json["summary"]["change"] == 0, "the lock file holds it"
    assert site.count("/charts/web-1.0.0.tgz") == 1

    bench.project({"web": {"type": "helm", "chart": "shop/web", "version": "~1.5"}}, **repos)
    bench.ok("apply", "-y")
    assert live(bench)["version"] == "1.5.0"
    site.files.clear()
    bench.ok("rollback", "-y")
    assert live(bench)["version"] == "1.0.0", "a rollback needs no repository"
    bench.ok("delete", "-y")


def test_a_login_is_used_and_never_recorded(
    bench: Bench, site: Site, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    url = site.chart_repository("charts", {"web": {"1.0.0": web("1.0.0")}})
    site.login = ("ann", "pl4nted-s3cret")
    monkeypatch.setenv("CHARTS_PASSWORD", "pl4nted-s3cret")
    repo = {"url": url, "username": "ann", "password": "${CHARTS_PASSWORD}"}
    apps = {"web": {"type": "helm", "chart": "shop/web"}}
    bench.project(apps, helm_repos={"shop": {**repo, "password": "wr0ng-pl4nted"}})
    refused = bench.sbkube("apply", "-y")
    assert refused.code == 4
    assert "answered 401" in refused.err and "sbkube.yaml:" in refused.err
    bench.project(apps, helm_repos={"shop": repo})
    ran = bench.ok("apply", "-y", "-v")
    written = [ran.out, ran.err, refused.out, refused.err]
    for path in [*own_home.rglob("*"), bench.folder / "sbkube.lock"]:
        if path.is_file():
            written.append(path.read_bytes().decode("latin-1"))
    assert not any("pl4nted" in text for text in written)
    snapshots = sqlite3.connect(own_home / "deployments.db").execute("select count(*) from deployments").fetchone()
    assert snapshots[0] >= 1


def test_from_a_registry_with_a_token(bench: Bench, site: Site) -> None:
    for version in ("1.0.0", "1.1.0+build.1", "2.0.0"):
        site.oci_chart("team/web", version, web(version))
    site.token, site.login = "t0ken", ("ann", "pw")
    registry = {"registry": site.url.replace("http://", "") + "/team", "username": "ann", "password": "pw"}
    bench.project({"web": {"type": "helm", "chart": "reg/web", "version": "<2"}}, oci_registries={"reg": registry})
    bench.ok("apply", "-y")
    assert live(bench)["version"] == "1.1.0+build.1"
    assert lock(bench)[0]["found"] == "1.1.0+build.1"


def test_from_a_url_by_digest(bench: Bench, site: Site) -> None:
    site.files["/web.tgz"] = web("1.0.0")
    bench.project({"web": {"type": "helm", "chart": f"{site.url}/web.tgz"}})
    bench.ok("apply", "-y")
    assert lock(bench)[0]["digest"].startswith("sha256:")
    site.files["/web.tgz"] = web("1.0.0", colour="red")
    for file in (Path.home() / ".cache/sbkube/files").iterdir():
        file.unlink()
    refused = bench.sbkube("apply", "-y")
    assert refused.code == 4
    assert "not sha256:" in refused.err


def test_locked_offline_and_wrong(bench: Bench, site: Site) -> None:
    url = site.chart_repository("charts", {"web": {"1.0.0": web("1.0.0")}})
    repos = {"helm_repos": {"shop": url}}
    apps = {"web": {"type": "helm", "chart": "shop/web", "version": "1.x"}}
    bench.project(apps, **repos)
    refused = bench.sbkube("diff", "--locked")
    assert refused.code == 3
    assert "sbkube.lock does not pin" in refused.err
    assert bench.sbkube("diff", "--offline").code == 4
    bench.ok("apply", "-y")
    site.files.clear()
    bench.ok("diff", "--locked", "--offline")

    for chart, version, message in [
        ("shop/wab", "1.x", 'did you mean "web"'),
        ("shop/web", "^7", "the newest is 1.0.0"),
        ("shap/web", "1.x", 'did you mean "shop"'),
        ("shop/web", "one", "is no version"),
    ]:
        site.chart_repository("charts", {"web": {"1.0.0": web("1.0.0")}})
        bench.project({"web": {"type": "helm", "chart": chart, "version": version}}, **repos)
        ran = bench.sbkube("apply", "-y")
        assert ran.code in {3, 4}, (chart, version)
        assert message in ran.err, (chart, version)
        assert "sbkube.yaml:" in ran.err
