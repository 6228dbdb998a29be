"""The yaml app: which files, in which order, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.apps.base import RenderContext
from sbkube.apps.bases import project_name
from sbkube.apps.yaml import YamlSpec, render
from sbkube.errors import RenderError
from sbkube.models.release import ReleaseSpec, RenderedChart


def no_charts(spec: ReleaseSpec) -> RenderedChart:
    raise AssertionError(f"nobody asked for {spec.name}")


def context(folder: Path, *, cleanup: bool = True) -> RenderContext:
    return RenderContext(folder, "shop", no_charts, cleanup_metadata=cleanup)


def spec(*manifests: str) -> YamlSpec:
    return YamlSpec.model_validate({"type": "yaml", "manifests": manifests}).located("web")


def write(folder: Path, name: str, *objects: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {o}\n" for o in objects))
    return path


def names(folder: Path, *manifests: str) -> list[str]:
    return [m.key.name for m in render(spec(*manifests), context(folder)).manifests]


def test_files_folders_and_globs_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "b1", "b2")
    write(tmp_path, "dir/2.yml", "two")
    write(tmp_path, "dir/1.yaml", "one")
    write(tmp_path, "dir/below/3.yaml", "three")
    write(tmp_path, "dir/.hidden.yaml", "hidden")
    (tmp_path / "dir/readme.txt").write_text("no manifest")
    assert names(tmp_path, "b.yaml", "dir") == ["b1", "b2", "one", "two"]
    assert names(tmp_path, "dir/**/*.yaml") == ["one", "three"]
    assert names(tmp_path, "b.yaml", "*.yaml", "./b.yaml") == ["b1", "b2"]


def test_globs_work_in_folders_with_odd_names(tmp_path: Path) -> None:
    odd = tmp_path / "a[b]*"
    write(odd, "x/1.yaml", "one")
    assert names(odd, "x/*.yaml") == names(odd, "*/1.yaml") == names(odd / "x", "../x/*.yaml") == ["one"]
    assert names(Path("/"), str(tmp_path / "a?b?*/x/*.yaml")) == ["one"]


def test_objects_know_their_file_and_line_and_sources_are_digested(tmp_path: Path) -> None:
    write(tmp_path, "m/a.yaml", "a", "b")
    rendered = render(spec("m/a.yaml"), context(tmp_path))
    assert [str(m.source) for m in rendered.manifests] == ["m/a.yaml:1:1", "m/a.yaml:6:1"]
    assert list(rendered.sources) == ["m/a.yaml"]
    assert rendered.sources["m/a.yaml"].startswith("sha256:")
    assert rendered.own_manifests == rendered.manifests


def test_namespaces_stay_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: other}}")
    (manifest,) = render(spec("a.yaml"), context(tmp_path)).manifests
    assert manifest.key.namespace == "other"


@pytest.mark.parametrize(
    ("manifest", "says", "hint"),
    [
        ("deploy.yaml", 'the file "deploy.yaml" does not exist', 'did you mean "deployment.yaml"?'),
        ("nowhere/x.yaml", 'the file "nowhere/x.yaml" does not exist', "looked up in"),
        ("empty", 'the folder "empty" holds no YAML', 'use "empty/**/*.yaml"'),
        ("*.yml", '"*.yml" matches no file', "looked up in"),
        ("n" * 5000, "cannot be looked up", ""),
    ],
)
def test_what_is_not_there_is_told_with_the_way_out(tmp_path: Path, manifest: str, says: str, hint: str) -> None:
    write(tmp_path, "deployment.yaml", "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RenderError) as caught:
        render(spec(manifest), context(tmp_path))
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")


def test_all_files_are_checked_before_anything_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text("kind: X\n")
    with pytest.raises(RenderError, match="5 problems in app web") as caught:
        render(spec("a.yaml", "b.yaml", "c.yaml", "d.yaml"), context(tmp_path))
    files = [Path(p.place.file).name for p in caught.value.problems if p.place]
    assert files == ["a.yaml", "b.yaml", "c.yaml", "c.yaml"]


def test_names_in_records_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    assert project_name(tmp_path / "a" / "b.yaml", tmp_path) == "a/b.yaml"
    assert project_name(tmp_path.parent / "b.yaml", tmp_path) == "../b.yaml"
