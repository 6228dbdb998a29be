"""check-updates: what is newer, and writing it into the file without touching anything else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.conftest import Bench
from web_server import Site, packed, serving

TEXT = """# our shop
apiVersion: sbkube/v1
metadata: {name: shop}
settings:
  helm_repos: {r: %s}
  oci_registries: {o: %s}
apps:
  web:   # the front
    type: helm
    chart: r/web
    version: "1.0.0"   # pinned on purpose
  cache: {type: helm, chart: o/web, version: 1.0.0, release_name: cache}
  newest: {type: helm, chart: r/web, version: ^1.0.0, release_name: newest}
  own: {type: noop}
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def shop(bench: Bench, site: Site) -> Bench:
    versions = ("1.0.0", "1.1.0", "1.2.0-rc.1", "2.0.0")
    charts = {"web": {v: packed("web", v, {}) for v in versions}}
    url = site.chart_repository("charts", charts)
    for version in versions:
        site.oci_chart("charts/web", version, charts["web"][version])
    bench.write("sbkube.yaml", TEXT % (url, site.url.replace("http://", "") + "/charts"))
    return bench


def test_what_is_newer(shop: Bench) -> None:
    found = {u["app"]: u for u in shop.ok("check-updates", "-o", "json").json["updates"]}
    assert found["web"] | {"written": None} == {
        "app": "web",
        "chart": "r/web",
        "version": "1.0.0",
        "newest": "2.0.0",
        "newest_same_major": "1.1.0",
        "step": "major",
        "pinned": True,
        "written": None,
    }
    assert found["cache"]["newest"] == "2.0.0"
    assert (found["newest"]["version"], found["newest"]["pinned"]) == ("1.1.0", False)
    assert "--update-config" in shop.ok("check-updates").out
    assert shop.sbkube("check-updates", "--exit-status").code == 10


@pytest.mark.parametrize(("words", "version"), [((), "1.1.0"), (("--major",), "2.0.0")])
def test_writing_it_keeps_every_other_byte(shop: Bench, words: tuple[str, ...], version: str) -> None:
    before = (shop.folder / "sbkube.yaml").read_text()
    shop.ok("check-updates", "--update-config", *words)
    after = (shop.folder / "sbkube.yaml").read_text()
    expected = before.replace('version: "1.0.0"', f'version: "{version}"')
    assert after == expected.replace("version: 1.0.0,", f"version: {version},")
    shop.ok("validate")


def test_only_the_apps_that_were_asked_for(shop: Bench) -> None:
    shop.ok("check-updates", "--update-config", "--app", "cache")
    text = (shop.folder / "sbkube.yaml").read_text()
    assert 'version: "1.0.0"' in text and "version: 1.1.0," in text
