"""Charts with files replaced, added and dropped, and with dependencies brought along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_server import Site, packed, serving

from sbkube.apps.base import RenderContext
from sbkube.apps.chart_copy import Alterations, altered
from sbkube.apps.charts import Chart, load_chart
from sbkube.edges.web import HttpWeb
from sbkube.errors import ConfigError, Place, RenderError, SourceUnavailable
from sbkube.models.release import ReleaseSpec, RenderedChart
from sbkube.models.source import ANONYMOUS, Repository
from sbkube.sources.cache import Cache
from sbkube.sources.catalogue import Catalogue, Repositories
from sbkube.sources.downloads import Downloads
from sbkube.sources.lockfile import LockFile

PLACE = Place("sbkube.yaml", 7, 9)


def no_charts(spec: ReleaseSpec) -> RenderedChart:
    raise AssertionError(f"nobody asked for {spec.name}")


class NoGit:
    def resolve(self, repository: Repository, revision: str) -> str:
        raise AssertionError(repository.url)

    def check_out(self, repository: Repository, commit: str, folder: Path) -> None:
        raise AssertionError(repository.url)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def context(tmp_path: Path, site: Site) -> RenderContext:
    downloads = Downloads(HttpWeb({}), Cache(tmp_path / "cache"))
    known = Repositories({"shop": Repository("shop", f"{site.url}/charts")}, {}, {})
    lock = LockFile(tmp_path / "sbkube.lock")
    catalogue = Catalogue(known, downloads, lock, NoGit(), lambda _: ANONYMOUS)
    return RenderContext(tmp_path, "shop", no_charts, catalogue=catalogue)


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    folder = tmp_path / "web"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: web\nversion: 1.0.0\n")
    for name in ("a.yaml", "b.yaml", "NOTES.txt"):
        (folder / "templates" / name).write_text(f"chart's {name}")
    return load_chart("web", tmp_path, None)


def wanted(overrides: tuple[str, ...] = (), removes: tuple[str, ...] = ()) -> Alterations:
    return Alterations("shop", [(p, PLACE) for p in overrides], [(p, PLACE) for p in removes])


def files(chart: Chart) -> dict[str, str]:
    return {
        path.relative_to(chart.path).as_posix(): path.read_text()
        for path in sorted(chart.path.rglob("*"))
        if path.is_file() and path.suffix != ".tgz"
    }


def test_a_chart_that_needs_nothing_is_left_where_it_is(chart: Chart, context: RenderContext) -> None:
    assert altered(chart, wanted(), context, []) is chart


def test_files_are_replaced_added_and_dropped_in_a_copy(chart: Chart, context: RenderContext) -> None:
    ours = context.folder / "overrides/shop/templates"
    ours.mkdir(parents=True)
    (ours / "a.yaml").write_text("our a")
    (ours / "new.yaml").write_text("our new")
    before, warnings = files(chart), list[str]()
    change = wanted(("templates/*.yaml",), ("templates/NOTES.txt", "templates/b*"))
    copy = altered(chart, change, context, warnings)
    assert files(copy) == {
        "Chart.yaml": before["Chart.yaml"],
        "templates/a.yaml": "our a",
        "templates/new.yaml": "our new",
    }
    assert files(chart) == before
    assert warnings == []
    assert copy.digest != chart.digest
    assert altered(chart, change, context, []) == copy


def test_a_pattern_that_matches_nothing_is_a_warning_that_names_it(chart: Chart, context: RenderContext) -> None:
    warnings: list[str] = []
    altered(chart, wanted(("templates/x.yaml",), ("nothing/*",)), context, warnings)
    assert '"nothing/*" matches nothing' in warnings[0]
    assert 'there is no "templates/x.yaml" in' in warnings[1]
    assert all("sbkube.yaml:7:9" in warning for warning in warnings)


@pytest.mark.parametrize("pattern", ["../other/x", "/etc/passwd", "a/../../b"])
def test_a_pattern_that_leads_out_is_refused(chart: Chart, context: RenderContext, pattern: str) -> None:
    for change in (wanted((pattern,)), wanted((), (pattern,))):
        with pytest.raises(RenderError, match="leads out of the chart") as caught:
            altered(chart, change, context, [])
        assert caught.value.place == PLACE


def test_an_archive_is_unpacked_first(chart: Chart, context: RenderContext, tmp_path: Path) -> None:
    (tmp_path / "web-1.tgz").write_bytes(packed("web", "1.0.0", {"a.yaml": "a", "b.yaml": "b"}))
    copy = altered(load_chart("web-1.tgz", tmp_path, None), wanted((), ("templates/b.yaml",)), context, [])
    assert "templates/a.yaml" in files(copy) and "templates/b.yaml" not in files(copy)


def test_dependencies_are_fetched_and_pinned(chart: Chart, context: RenderContext, site: Site) -> None:
    url = site.chart_repository("charts", {"db": {v: packed("db", v, {}) for v in ("1.0.0", "1.4.0", "2.0.0")}})
    lines = f"dependencies:\n- {{name: db, version: ^1, repository: '{url}'}}\n"
    (chart.path / "Chart.yaml").write_text("name: web\nversion: 1.0.0\n" + lines)
    copy = altered(chart, wanted(), context, [])
    assert [p.name for p in (copy.path / "charts").iterdir()] == ["db-1.4.0.tgz"]
    assert not (chart.path / "charts").exists()
    context.catalogue.lock.save(whole=True)
    assert "1.4.0" in (context.folder / "sbkube.lock").read_text()
    (chart.path / "Chart.lock").write_text("dependencies:\n- {name: db, version: 1.0.0}\n")
    copy = altered(chart, wanted(), context, [])
    assert [p.name for p in (copy.path / "charts").iterdir()] == ["db-1.0.0.tgz"]


def test_dependencies_beside_the_chart_and_those_that_are_there(chart: Chart, context: RenderContext) -> None:
    (context.folder / "db").mkdir()
    (context.folder / "db/Chart.yaml").write_text("name: db\nversion: 1.0.0\n")
    (chart.path / "charts/queue").mkdir(parents=True)
    (chart.path / "charts/queue/Chart.yaml").write_text("name: queue\nversion: 1.0.0\n")
    (chart.path / "charts/cache-2.1.0.tgz").write_bytes(b"")
    lines = "dependencies:\n- {name: db, repository: 'file://../db'}\n- {name: queue}\n- {name: cache}\n"
    (chart.path / "Chart.yaml").write_text("name: web\nversion: 1.0.0\n" + lines)
    copy = altered(chart, wanted(), context, [])
    assert (copy.path / "charts/db/Chart.yaml").is_file()


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("{name: db}", RenderError, "has no repository"),
        ("{version: 1}", RenderError, "wants at least a name"),
        ("{name: db, repository: 'file://../none'}", RenderError, "there is no chart at"),
        ("{name: db, repository: '@nowhere'}", ConfigError, "nowhere"),
        ("{name: none, repository: '@shop'}", SourceUnavailable, "has no chart none"),
    ],
)
def test_dependencies_that_are_wrong(
    chart: Chart, context: RenderContext, site: Site, line: str, error: type[Exception], says: str
) -> None:
    site.chart_repository("charts", {"db": {"1.0.0": packed("db", "1.0.0", {})}})
    (chart.path / "Chart.yaml").write_text(f"name: web\nversion: 1.0.0\ndependencies:\n- {line}\n")
    with pytest.raises(error, match=says) as caught:
        altered(chart, wanted(), context, [])
    assert "Chart.yaml:4" in str(getattr(caught.value, "place", ""))
