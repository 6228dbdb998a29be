"""The kustomize app: where the kustomization is, and what it builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.apps.base import RenderContext
from sbkube.apps.kustomize import KustomizeSpec, render
from sbkube.errors import RenderError, ToolMissing
from sbkube.models.release import ReleaseSpec, RenderedChart

BUILT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: x}\n---\napiVersion: v1\nkind: Service\n"


def no_charts(spec: ReleaseSpec) -> RenderedChart:
    raise AssertionError(f"nobody asked for {spec.name}")


def built(folder: Path, text: str) -> RenderContext:
    return RenderContext(folder, "shop", no_charts, build_kustomization=lambda _: text)


def spec(path: str) -> KustomizeSpec:
    return KustomizeSpec.model_validate({"type": "kustomize", "path": path}).located("k")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "over").mkdir()
    (tmp_path / "over/kustomization.yaml").write_text("{}")
    return tmp_path


def test_what_is_built_is_wanted(folder: Path) -> None:
    rendered = render(spec("over"), built(folder, BUILT.rpartition("---")[0]))
    [manifest] = rendered.manifests
    assert manifest.key.name == "a"
    assert manifest.body["metadata"] == {"name": "a"}
    assert str(manifest.source) == "over"
    assert set(rendered.sources) == {"over"}


def test_the_digest_follows_the_files(folder: Path) -> None:
    before = render(spec("over"), built(folder, "")).sources
    (folder / "over/more.yaml").write_text("x")
    assert render(spec("over"), built(folder, "")).sources != before


def test_an_object_without_a_name_is_refused(folder: Path) -> None:
    with pytest.raises(RenderError, match="metadata"):
        render(spec("over"), built(folder, BUILT))


def test_no_kustomization_and_no_program(folder: Path) -> None:
    with pytest.raises(RenderError, match="there is no kustomization in"):
        render(spec("."), built(folder, ""))
    with pytest.raises(ToolMissing):
        render(spec("over"), RenderContext(folder, "shop", no_charts))
