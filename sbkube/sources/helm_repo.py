"""Classic Helm repositories: an `index.yaml` that lists the versions of each chart.

The format is that of Helm's documentation, "The Chart Repository Guide".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml

from sbkube.errors import SourceUnavailable
from sbkube.models.source import ANONYMOUS, Repository
from sbkube.sources.downloads import Downloads
from sbkube.sources.problems import did_you_mean
from sbkube.sources.versions import newest


@dataclass(frozen=True, slots=True)
class ChartVersion:
    """One line of an index: `url` is absolute; `digest` is `sha256:…` or empty."""

    version: str
    url: str
    digest: str = ""
    app_version: str = ""


class HelmRepo:
    """The charts of one repository."""

    def __init__(self, repository: Repository, downloads: Downloads) -> None:
        self._repository = repository
        self._downloads = downloads
        self._base = repository.url.rstrip("/") + "/"

    def versions(self, chart: str) -> tuple[ChartVersion, ...]:
        """All versions of a chart; raises SourceUnavailable if the repository or the chart is not there."""
        index = self._index()
        lines = index.get(chart)
        if lines is None:
            name = self._repository.name or self._repository.url
            raise SourceUnavailable(
                f"the repository {name} has no chart {chart}", hint=did_you_mean(chart, index, noun="charts there")
            )
        return tuple(ChartVersion(**line) for line in lines)

    def choose(self, chart: str, wanted: str) -> ChartVersion:
        """The newest version in the range `wanted`; raises SourceUnavailable naming the newest if none fits."""
        found = self.versions(chart)
        best = newest((line.version for line in found), wanted)
        if best is None:
            last = newest((line.version for line in found), ">=0.0.0-0")
            raise SourceUnavailable(
                f"no version of {chart} in {self._repository.name or self._repository.url} fits {wanted or '*'}",
                hint=f"the newest is {last}" if last else "it has no versions",
            )
        return next(line for line in found if line.version == best)

    def fetch(self, line: ChartVersion) -> tuple[Path, str]:
        """The archive of a version and its digest."""
        same_host = line.url.startswith(self._base)
        return self._downloads.file(line.url, line.digest, self._repository.login if same_host else ANONYMOUS)

    def _index(self) -> Mapping[str, list[dict[str, str]]]:
        """Chart name → lines. Reading a large index takes seconds, so what it says is kept by its digest."""
        url = urljoin(self._base, "index.yaml")
        path, digest = self._downloads.renewed(url, self._repository.login)
        cache = self._downloads.cache
        known = cache.recall(f"index {url} {digest}")
        if "charts" not in known:
            known = {"charts": _lines(path, self._base, url)}
            cache.remember(f"index {url} {digest}", known)
        charts: Mapping[str, list[dict[str, str]]] = known["charts"]
        return charts


def _lines(path: Path, base: str, url: str) -> dict[str, list[dict[str, str]]]:
    try:
        content = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceUnavailable(f"{url} is no index of a Helm repository: it cannot be read as YAML") from error
    entries = content.get("entries") if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise SourceUnavailable(f"{url} is no index of a Helm repository: it has no entries")
    return {
        str(chart): [found for line in lines or () if (found := _line(line, base)) is not None]
        for chart, lines in entries.items()
        if isinstance(lines, list)
    }


def _line(line: Any, base: str) -> dict[str, str] | None:
    urls = line.get("urls") if isinstance(line, dict) else None
    if not isinstance(urls, list) or not urls or not isinstance(line.get("version"), str):
        return None
    digest = str(line.get("digest") or "").removeprefix("sha256:")
    return {
        "version": line["version"],
        "url": urljoin(base, str(urls[0])),
        "digest": f"sha256:{digest}" if len(digest) == 64 else "",
        "app_version": str(line.get("appVersion") or ""),
    }
