"""Local charts."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from sbkube.apps.charts import load_chart, tree_digest
from sbkube.errors import Place, RenderError

PLACE = Place("sbkube.yaml", 7, 12)


def chart(folder: Path, name: str = "web", text: str = "name: web\nversion: 1.2.3\nappVersion: 4\n") -> Path:
    path = folder / "charts" / name
    (path / "templates").mkdir(parents=True)
    (path / "Chart.yaml").write_text(text)
    (path / "templates/a.yaml").write_text("a: 1\n")
    return path


@pytest.mark.parametrize("reference", ["./charts/web", "charts/web", "charts/web/"])
def test_a_folder_by_path(tmp_path: Path, reference: str) -> None:
    path = chart(tmp_path)
    found = load_chart(reference, tmp_path, PLACE)
    assert (found.path, found.name, found.version, found.app_version) == (path, "web", "1.2.3", "4")
    assert found.digest == tree_digest(path)
    assert load_chart(str(path), Path("/"), PLACE) == found


def test_an_archive(tmp_path: Path) -> None:
    path = chart(tmp_path)
    with tarfile.open(tmp_path / "web-1.2.3.tgz", "w:gz") as archive:
        archive.add(path, "web")
    assert load_chart("web-1.2.3.tgz", tmp_path, PLACE).version == "1.2.3"


def test_the_digest_changes_with_names_and_contents(tmp_path: Path) -> None:
    path = chart(tmp_path)
    first = tree_digest(path)
    (path / "templates/a.yaml").rename(path / "templates/b.yaml")
    second = tree_digest(path)
    (path / "templates/b.yaml").write_text("a: 2\n")
    assert len({first, second, tree_digest(path)}) == 3


def test_linked_folders_belong_to_the_chart_and_loops_are_refused(tmp_path: Path) -> None:
    path = chart(tmp_path)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/x.yaml").write_text("x: 1")
    (path / "templates/shared").symlink_to(tmp_path / "shared")
    before = tree_digest(path)
    (tmp_path / "shared/x.yaml").write_text("x: 2")
    assert tree_digest(path) != before
    (path / "templates/loop").symlink_to(path)
    with pytest.raises(RenderError, match=r"cannot be read: .* is a link to a folder around it"):
        load_chart("./charts/web", tmp_path, PLACE)


@pytest.mark.parametrize(
    ("reference", "says", "hint"),
    [
        ("./charts/wep", "there is no chart at", 'did you mean "web"?'),
        ("./nowhere/web", "there is no chart at", "looked up in"),
        ("./empty", "holds no Chart.yaml", ""),
        ("./file.txt", "neither a chart folder nor a .tgz", ""),
        ("./broken.tgz", "cannot be read", ""),
        ("./other.tgz", "holds no Chart.yaml", ""),
    ],
)
def test_what_is_no_chart(tmp_path: Path, reference: str, says: str, hint: str) -> None:
    chart(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "broken.tgz").write_text("x")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        archive.add(tmp_path / "file.txt", "web/file.txt")
    with pytest.raises(RenderError) as caught:
        load_chart(reference, tmp_path, PLACE)
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.place == PLACE


@pytest.mark.parametrize(
    ("text", "says"), [("version: 1", "no name or no version"), ("a: [", "broken"), ("1", "map")]
)
def test_a_broken_chart_yaml_is_named(tmp_path: Path, text: str, says: str) -> None:
    chart(tmp_path, text=text)
    with pytest.raises(RenderError, match=says) as caught:
        load_chart("./charts/web", tmp_path, PLACE)
    assert caught.value.place and caught.value.place.file.endswith("Chart.yaml")
