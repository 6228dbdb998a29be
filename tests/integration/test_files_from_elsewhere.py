"""Manifests from git, kustomizations, URLs and files that are fetched first; applied, changed, undone, deleted."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Bench
from repositories import commit_all, new_repository
from shapes import configmap
from web_server import Site, serving

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey

with_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def live(server: HttpCluster, bench: Bench, name: str) -> dict[str, Any] | None:
    found = server.get(ResourceKey("", "v1", "ConfigMap", bench.namespace, name))
    return found["data"] if found else None


@with_git
def test_a_git_repository_at_its_commit(
    bench: Bench, api_server: HttpCluster, tmp_path: Path, own_home: Path
) -> None:
    work = new_repository(tmp_path / "upstream")
    (work / "k8s").mkdir()
    (work / "k8s/a.yaml").write_text(yaml.safe_dump(configmap("a", colour="blue")))
    first = commit_all(work, "blue")
    apps = {
        "upstream": {"type": "git", "repo": "shop", "path": "k8s"},
        "a": {"type": "yaml", "manifests": ["${repos.shop}/k8s/"], "depends_on": ["upstream"]},
    }
    bench.project(apps, git_repos={"shop": str(work)})
    bench.ok("apply", "-y")
    assert live(api_server, bench, "a") == {"colour": "blue"}
    recorded = sqlite3.connect(own_home / "deployments.db").execute("select sources from app_deployments")
    assert f"git:{first}" in str(recorded.fetchall())

    (work / "k8s/a.yaml").write_text(yaml.safe_dump(configmap("a", colour="red")))
    second = commit_all(work, "red")
    assert bench.ok("apply", "-y", "-o", "json").json["summary"]["change"] == 0, "the lock file holds the commit"
    apps["upstream"]["ref"] = second
    bench.project(apps, git_repos={"shop": str(work)})
    bench.ok("apply", "-y")
    assert live(api_server, bench, "a") == {"colour": "red"}
    shutil.rmtree(work)
    bench.ok("rollback", "-y")
    assert live(api_server, bench, "a") == {"colour": "blue"}
    bench.ok("delete", "-y")
    assert live(api_server, bench, "a") is None


@with_git
@pytest.mark.parametrize(
    ("app", "message"),
    [
        ({"type": "git", "repo": "shap"}, 'did you mean "shop"'),
        ({"type": "git", "repo": "shop", "ref": "v9"}, 'has no branch or tag "v9"'),
        ({"type": "git", "repo": "shop", "path": "k9s"}, 'has no folder "k9s"'),
        ({"type": "yaml", "manifests": ["${repos.shop}/../../x.yaml"]}, "leads out of the repository"),
        ({"type": "yaml", "manifests": ["${repos.shop}/none.yaml"]}, 'the file "none.yaml" does not exist'),
        ({"type": "kustomize", "path": "${repos.other}/x"}, 'there is no git repository "other"'),
    ],
)
def test_what_is_wrong_in_git(bench: Bench, tmp_path: Path, app: dict[str, Any], message: str) -> None:
    work = new_repository(tmp_path / "upstream")
    (work / "k8s").mkdir()
    (work / "k8s/a.yaml").write_text(yaml.safe_dump(configmap("a")))
    commit_all(work, "one")
    bench.project({"x": app}, git_repos={"shop": str(work)})
    ran = bench.sbkube("apply", "-y")
    assert ran.code in {3, 4}
    assert message in ran.err
    assert "sbkube.yaml:" in ran.err


def test_a_kustomization(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("base/a.yaml", configmap("a", colour="blue"))
    bench.write("base/kustomization.yaml", {"resources": ["a.yaml"]})
    patch = {"patch": yaml.safe_dump(configmap("a", colour="green")), "target": {"kind": "ConfigMap", "name": "a"}}
    bench.write("over/kustomization.yaml", {"resources": ["../base"], "namePrefix": "my-", "patches": [patch]})
    bench.project({"k": {"type": "kustomize", "path": "over"}})
    bench.ok("apply", "-y")
    assert live(api_server, bench, "my-a") == {"colour": "green"}
    assert bench.ok("apply", "-y", "-o", "json").json["summary"]["change"] == 0
    bench.write("over/kustomization.yaml", {"resources": ["../base"], "namePrefix": "my-"})
    bench.ok("apply", "-y")
    assert live(api_server, bench, "my-a") == {"colour": "blue"}
    bench.ok("rollback", "-y")
    assert live(api_server, bench, "my-a") == {"colour": "green"}
    bench.ok("delete", "-y")
    assert live(api_server, bench, "my-a") is None


def test_a_kustomization_that_is_wrong(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bench.write("over/kustomization.yaml", {"resources": ["missing.yaml"]})
    bench.project({"k": {"type": "kustomize", "path": "over"}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert "missing.yaml" in ran.err
    bench.project({"k": {"type": "kustomize", "path": "nowhere"}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert 'there is no kustomization in "nowhere"' in ran.err


def test_a_file_from_the_web(bench: Bench, api_server: HttpCluster, site: Site, own_home: Path) -> None:
    content = yaml.safe_dump(configmap("a", colour="blue")).encode()
    site.files["/a.yaml"] = content
    fetched = {
        "type": "http",
        "url": f"{site.url}/a.yaml",
        "dest": "fetched/a.yaml",
        "headers": {"X-Key": "pl4nted"},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    apps = {"get": fetched, "a": {"type": "yaml", "manifests": ["fetched/a.yaml"], "depends_on": ["get"]}}
    bench.project(apps)
    bench.ok("apply", "-y")
    assert live(api_server, bench, "a") == {"colour": "blue"}
    assert site.asked[0][1]["x-key"] == "pl4nted"
    assert b"pl4nted" not in (own_home / "deployments.db").read_bytes()
    bench.ok("apply", "-y")
    assert site.count("/a.yaml") == 1, "a file with a known digest is fetched once"

    for wrong, code, message in [
        ({"sha256": "0" * 64}, 4, "has the digest"),
        ({"sha256": "12"}, 3, "must be 64 hexadecimal digits"),
        ({"dest": "../a.yaml"}, 3, "leads out of the project"),
        ({"url": f"{site.url}/none", "sha256": ""}, 4, "answered 404"),
        ({"url": "ftp://example.com/a"}, 3, "url"),
    ]:
        bench.project({"get": {**fetched, **wrong}})
        ran = bench.sbkube("apply", "-y")
        assert (ran.code, message in ran.err) == (code, True), ran.err


def test_manifests_from_a_url(bench: Bench, api_server: HttpCluster, site: Site) -> None:
    site.files["/a.yaml"] = yaml.safe_dump(configmap("a", colour="blue")).encode()
    bench.project({"a": {"type": "yaml", "manifests": [f"{site.url}/a.yaml?sig=s3cret"]}})
    ran = bench.ok("apply", "-y", "-v")
    assert live(api_server, bench, "a") == {"colour": "blue"}
    assert "s3cret" not in ran.out + ran.err
    site.files["/a.yaml"] = yaml.safe_dump(configmap("a", colour="red")).encode()
    bench.ok("apply", "-y")
    assert live(api_server, bench, "a") == {"colour": "red"}
    site.files.clear()
    assert bench.sbkube("apply", "-y").code == 4
    bench.ok("apply", "-y", "--offline")


def test_a_download_overwrites_nothing_but_downloads(bench: Bench) -> None:
    with serving() as site:
        site.files["/x.yaml"] = b"first: 1\n"
        bench.write("mine.txt", "precious")
        for dest in ("mine.txt", "sbkube.yaml"):
            bench.project({"h": {"type": "http", "url": f"{site.url}/x.yaml", "dest": dest}})
            before = (bench.folder / dest).read_bytes()
            ran = bench.sbkube("diff")
            assert ran.code == 3 and "is there already" in ran.err
            assert (bench.folder / dest).read_bytes() == before
        bench.project({"h": {"type": "http", "url": f"{site.url}/x.yaml", "dest": "got/x.yaml"}})
        bench.ok("apply", "-y")
        site.files["/x.yaml"] = b"second: 2\n"
        bench.ok("apply", "-y")
        assert (bench.folder / "got/x.yaml").read_bytes() == b"second: 2\n"
        (bench.folder / "got/x.yaml").write_text("edited by hand")
        assert bench.sbkube("apply", "-y").code == 3
