"""The helm app: values in Helm's order, the release, and the objects of what it renders to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sbkube.apps.base import RenderContext, Rendered
from sbkube.apps.helm import HelmSpec, render
from sbkube.apps.values import merge
from sbkube.errors import RenderError
from sbkube.models.release import ReleaseSpec, RenderedChart

MANIFEST = """---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
# Source: web/templates/b.yaml
apiVersion: v1
kind: Service
metadata:
  name: b
"""


class Charts:
    """Stands in for Helm: answers with a fixed rendering and keeps what it was asked."""

    def __init__(self, manifest: str = MANIFEST, crds: tuple[str, ...] = ()) -> None:
        self.asked: list[ReleaseSpec] = []
        self._answer = RenderedChart(manifest, crds=crds, notes="Thank you")

    def __call__(self, spec: ReleaseSpec) -> RenderedChart:
        self.asked.append(spec)
        return self._answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Chart.yaml").write_text("name: web\nversion: 1.0.0\nappVersion: '2'\n")
    (tmp_path / "one.yaml").write_text("a: {x: 1, on_: yes}\nlist: [1, 2]\n")
    (tmp_path / "two.yaml").write_text("a: {x: 2}\nlist: [3]\n")
    (tmp_path / "none.yaml").write_text("# nothing\n")
    return tmp_path


def app(**fields: Any) -> HelmSpec:
    return HelmSpec.model_validate({"type": "helm", "chart": "./web", **fields}).located("my_web")


def rendered(folder: Path, charts: Charts | None = None, **fields: Any) -> Rendered:
    return render(app(**fields), RenderContext(folder, "shop", charts or Charts()))


def values(folder: Path, **fields: Any) -> Any:
    release = rendered(folder, **fields).release
    assert release is not None
    return release.values


def test_the_release_is_complete(folder: Path) -> None:
    release = rendered(folder, timeout="5m", atomic=True, wait=False, values=["one.yaml"]).release
    assert release is not None and release.chart_digest.startswith("sha256:")
    assert replace(release, chart_digest="") == ReleaseSpec(
        name="my-web",
        namespace="shop",
        chart=str(folder / "web"),
        values={"a": {"x": 1, "on_": True}, "list": [1, 2]},
        chart_name="web",
        chart_version="1.0.0",
        app_version="2",
        wait=False,
        atomic=True,
        timeout=300,
    )


def test_an_app_may_name_its_release_and_namespace(folder: Path) -> None:
    release = rendered(folder, release_name="front", namespace="other").release
    assert release is not None and (release.name, release.namespace, release.timeout) == ("front", "other", 600)


def test_later_values_win_and_set_values_win_over_all(folder: Path) -> None:
    given = ["one.yaml", "none.yaml", {"a": {"z": None}}, "two.yaml"]
    assert values(folder, values=given) == {"a": {"x": 2, "on_": True, "z": None}, "list": [3]}
    found = values(folder, values=given, set_values=["a.x=9,list[1]=4", "b={1,x}"])
    assert found == {"a": {"x": 9, "on_": True, "z": None}, "list": [3, 4], "b": [1, "x"]}


def test_set_values_as_a_map_keep_their_types(folder: Path) -> None:
    assert values(folder, set_values={"a.b": "1", "c": {"d": [1]}}) == {"a": {"b": "1"}, "c": {"d": [1]}}


def test_set_values_never_change_the_spec(folder: Path) -> None:
    spec = app(values=[{"a": {"b": 1}}], set_values=["a.b=2"])
    for _ in range(2):
        render(spec, RenderContext(folder, "shop", Charts()))
    assert spec.values == ({"a": {"b": 1}},)


def test_objects_name_the_template_they_come_from(folder: Path) -> None:
    result = rendered(folder)
    assert [(str(m.key), str(m.source)) for m in result.manifests] == [
        ("ConfigMap/a", "web/templates/a.yaml"),
        ("Service/b", "web/templates/b.yaml"),
    ]
    assert result.own_manifests == ()
    assert list(result.sources) == ["web"]


def test_crds_of_the_chart_are_ours_to_apply(folder: Path) -> None:
    crd = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}"
    result = rendered(folder, Charts(crds=(crd,)))
    assert [m.key.kind for m in result.own_manifests] == ["CustomResourceDefinition"]
    assert len(result.manifests) == 2


def test_duplicate_keys_in_a_chart_are_a_warning_as_helm_takes_them(folder: Path) -> None:
    result = rendered(folder, Charts(MANIFEST + "  labels: {a: b, a: c}\n"))
    assert result.warnings == ('my_web: web/templates/b.yaml: duplicate key "a"',)
    assert result.manifests[1].body["metadata"]["labels"] == {"a": "c"}


def test_another_version_than_wanted_is_a_warning(folder: Path) -> None:
    assert rendered(folder, version="1.0.0").warnings == ()
    assert rendered(folder, version="2.0.0").warnings == ("my_web: wants chart version 2.0.0, but ./web is 1.0.0",)


def test_rendered_nonsense_names_its_template(folder: Path) -> None:
    with pytest.raises(RenderError) as caught:
        rendered(folder, Charts(MANIFEST + "---\n# Source: web/templates/c.yaml\nkind: [\n"))
    assert str(caught.value).startswith("web/templates/c.yaml: broken YAML")


def test_all_problems_of_values_are_told_together(folder: Path) -> None:
    (folder / "list.yaml").write_text("- 1\n")
    (folder / "twice.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(RenderError, match="4 problems in app my_web") as caught:
        rendered(folder, values=["on.yaml", "list.yaml", "twice.yaml"], set_values=["b=1,a"])
    assert [p.message for p in caught.value.problems] == [
        'the values file "on.yaml" does not exist',
        "values must be a map",
        'duplicate key "a"',
        'set_values: key "a" has no value',
    ]
    assert caught.value.problems[0].hint == 'did you mean "one.yaml"?'


def test_the_recorded_spec_holds_no_values() -> None:
    spec = app(values=["one.yaml", {"db": {"password": "geheim", "hosts": ["h"]}}], set_values=["token=geheim"])
    assert spec.snapshot() == {
        "type": "helm",
        "chart": "./web",
        "values": ["one.yaml", {"db": {"password": "(masked)", "hosts": ["(masked)"]}}],
        "set_values": {"token": "(masked)"},
    }
    assert app(set_values={"a.b": "geheim"}).snapshot()["set_values"] == {"a.b": "(masked)"}


def test_merge_is_helms() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "l": [1]}, {"a": {"b": None}, "l": []}) == {
        "a": {"b": None, "c": 2},
        "l": [],
    }
    assert merge({"a": 1}, {"a": {"b": 1}}) == {"a": {"b": 1}}
