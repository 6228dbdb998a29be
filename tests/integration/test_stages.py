"""prepare, build, template, upgrade: the stages of an apply by themselves, and the hooks around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_commands import note, page, trace
from shapes import configmap
from web_server import Site, packed, serving

from sbkube.edges.cluster import HttpCluster

PAGE = """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {colour: {{ .Values.colour }}}
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def far(bench: Bench, site: Site, **more: object) -> None:
    charts = {"web": {"1.0.0": packed("web", "1.0.0", {"page.yaml": PAGE}, "colour: blue")}}
    repos = {"r": site.chart_repository("charts", charts)}
    site.files["/far.txt"] = b"far"
    bench.project(
        {
            "web": {"type": "helm", "chart": "r/web", "version": "1.0.0", **more},
            "file": {"type": "http", "url": f"{site.url}/far.txt", "dest": "got/far.txt"},
        },
        helm_repos=repos,
    )


def test_prepare_fetches_and_pins_without_a_cluster(bench: Bench, site: Site, tmp_path: object) -> None:
    far(bench, site)
    bench.config = bench.folder / "no-such-kubeconfig"
    document = bench.ok("prepare", "-o", "json").json
    assert [(i["app"], i["version"]) for i in document["items"]] == [("web", "1.0.0"), ("file", "")]
    assert (bench.folder / ".sbkube/charts/r/web-1.0.0/web/Chart.yaml").is_file()
    assert (bench.folder / "got/far.txt").read_text() == "far"
    assert "1.0.0" in (bench.folder / "sbkube.lock").read_text()


def test_build_makes_the_chart_that_is_rendered(bench: Bench, site: Site) -> None:
    far(bench, site, overrides=["templates/page.yaml", "none.yaml"])
    bench.write("overrides/web/templates/page.yaml", PAGE.replace("data:", "# ours\ndata:"))
    ran = bench.ok("build", "-o", "json")
    (item,) = ran.json["items"]
    assert "none.yaml" in ran.json["warnings"][0]
    assert "# ours" in (bench.folder / item["path"] / "templates/page.yaml").read_text()


def test_template_into_files_with_and_without_secrets(bench: Bench) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "planted"}}
    bench.write("m.yaml", [secret])
    bench.write(
        "sbkube.yaml",
        {
            "apiVersion": "sbkube/v1",
            "settings": {"namespace": bench.namespace},
            "phases": {"one": {"apps": {"web": {"type": "yaml", "manifests": ["m.yaml"]}}}},
        },
    )
    bench.ok("template", "--output-dir", "out")
    assert "masked" in (bench.folder / "out/one/web.yaml").read_text()
    assert "cGxhbnRlZA==" in bench.ok("template", "--show-secrets").out


def test_upgrade_deploys_the_helm_apps_only(bench: Bench, api_server: HttpCluster, site: Site) -> None:
    bench.write("m.yaml", [configmap("page", colour="blue")])
    chart = bench.chart("web", {"page.yaml": PAGE}, "colour: blue")
    apps = {
        "plain": {"type": "yaml", "manifests": ["m.yaml"]},
        "web": {"type": "helm", "chart": chart},
    }
    bench.project(apps)
    refused = bench.sbkube("upgrade", "-y", "--no-install")
    assert refused.code == 3 and "no release yet" in refused.err
    bench.ok("upgrade", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "web")
    assert get(api_server, "ConfigMap", bench.namespace, "page") is None
    assert bench.ok("history", "-o", "json").json["deployments"][0]["command"] == "upgrade"
    bench.project({"plain": apps["plain"]})
    assert bench.sbkube("upgrade").code == 2


def hooked(bench: Bench, **hooks: object) -> None:
    project = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": bench.namespace},
        "settings": {"namespace": bench.namespace},
        "hooks": {
            "prepare": {"pre": [note("p-pre")], "on_failure": [note("p-failed")]},
            "template": {"post": [note("t-post")]},
            "deploy": {"pre": [note("d-pre")]},
        },
        "apps": {"web": page(bench, **hooks)},
    }
    bench.write("sbkube.yaml", project)


def test_hooks_before_planning_make_what_is_rendered(bench: Bench, api_server: HttpCluster) -> None:
    make = "sed -i s/blue/green/ m.yaml"
    hooked(bench, pre_build=[make, note("build")], post_template=[note("template")])
    assert "may differ: hooks not run" in bench.ok("plan").out
    assert trace(bench) == []
    bench.ok("apply", "-y")
    assert trace(bench) == ["p-pre", "build", "template", "t-post", "d-pre"]
    found = get(api_server, "ConfigMap", bench.namespace, "page")
    assert found and found["data"] == {"colour": "green"}
    recorded = bench.ok("history", "-o", "json").json["deployments"]
    assert [d["status"] for d in recorded] == ["success", "success"]
    bench.ok("rollback", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "page") is None


def test_a_failing_hook_before_planning_stops_everything(bench: Bench, api_server: HttpCluster) -> None:
    hooked(bench, pre_template=["exit 9"])
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1 and "exit code 9" in ran.out + ran.err
    assert trace(bench) == ["p-pre", "p-failed"]
    assert get(api_server, "ConfigMap", bench.namespace, "page") is None


def test_deploy_leaves_hooks_before_planning_out(bench: Bench) -> None:
    hooked(bench, pre_build=[note("build")])
    bench.ok("deploy", "-y")
    assert trace(bench) == ["d-pre"]


def test_prepare_runs_its_own_hooks(bench: Bench) -> None:
    hooked(bench, pre_prepare=[note("mine")], pre_build=[note("not")])
    bench.ok("prepare")
    assert trace(bench) == ["p-pre", "mine"]


def test_what_two_deployments_left_can_be_compared(bench: Bench) -> None:
    chart = bench.chart("web", {"page.yaml": PAGE}, "colour: blue")

    def deploy(colour: str, *more: str) -> None:
        bench.write("m.yaml", [configmap("page", colour=colour), *(configmap(name) for name in more)])
        values = [{"colour": colour, "password": f"planted-{colour}"}]
        bench.project(
            {
                "plain": {"type": "yaml", "manifests": ["m.yaml"]},
                "web": {"type": "helm", "chart": chart, "values": values},
            }
        )
        bench.ok("apply", "-y")

    deploy("blue")
    deploy("red", "other")
    ran = bench.ok("history", "--diff", "latest~1,latest")
    assert "- " in ran.out and "colour: red" in ran.out and "+ ConfigMap/other" in ran.out
    document = bench.ok("history", "--diff", "latest~1,latest", "-o", "json").json
    assert {o["name"] for o in document["objects"]} == {"page", "other", "web"}
    assert [r["after"]["revision"] for r in document["releases"]] == [2]
    values = bench.ok("history", "--values-diff", "latest~1,latest")
    assert "password" in values.out and "planted" not in values.out
    assert "planted-red" in bench.ok("history", "--values-diff", "latest~1,latest", "--show-secrets").out
    assert "Nothing differs" in bench.ok("history", "--diff", "latest,latest").out
    bench.ok("rollback", "-y")
    document = bench.ok("history", "--values-diff", "latest~1,latest", "--show-secrets", "-o", "json").json
    assert [(v["before"]["colour"], v["after"]["colour"]) for v in document["values"]] == [("red", "blue")]
    assert "No Helm values differ" in bench.ok("history", "--values-diff", "latest~2,latest").out
    assert bench.sbkube("history", "--diff", "latest").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(bench: Bench, shell: str) -> None:
    assert "_SBKUBE_COMPLETE" in bench.ok("completion", shell).out
