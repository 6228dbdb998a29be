"""`check-updates`: newer versions of the charts that a project uses, and writing them into its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbkube.apps.base import AppSpec
from sbkube.apps.helm import HelmSpec
from sbkube.errors import Place, ProjectError
from sbkube.sources.catalogue import Catalogue
from sbkube.sources.versions import Range, Version, VersionSyntaxError

_SCALAR = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s,}\]#]+")


@dataclass(frozen=True, slots=True)
class Update:
    """A chart with its version and the newest ones: `newest` of all, `same_major` of those that change no major
    number. Both are "" where nothing is newer. `pinned` is False for ranges and where no version is given."""

    app: str
    chart: str
    version: str
    newest: str
    same_major: str
    pinned: bool
    place: Place | None = None

    @property
    def available(self) -> bool:
        """There is a newer version."""
        return bool(self.newest)

    @property
    def step(self) -> str:
        """How large the step to the newest version is: `major`, `minor` or `patch`."""
        if not self.newest:
            return ""
        old, new = Version.parse(self.version), Version.parse(self.newest)
        same = [a == b for a, b in zip(old.numbers, new.numbers, strict=True)]
        return "patch" if all(same[:2]) else "minor" if same[0] else "major"


def updates(apps: Sequence[AppSpec], catalogue: Catalogue) -> list[Update]:
    """One for each Helm app whose chart has versions; raises SourceUnavailable."""
    found = []
    for app in apps:
        if not isinstance(app, HelmSpec):
            continue
        versions = _parsed(catalogue.versions(app.chart, app.where("chart")))
        if not versions:
            continue
        wanted = _pinned(app.version or "")
        current = wanted or _exact(catalogue.chart(app.chart, app.version or "", app.where("chart")).version)
        if current is None:
            continue
        newer = [v for v in versions if v > current and (not v.pre or current.pre)]
        same = [v for v in newer if v.numbers[0] == current.numbers[0]]
        place = app.where("version") if wanted else None
        found.append(
            Update(app.name, app.chart, str(current), _newest(newer), _newest(same), wanted is not None, place)
        )
    return found


def _parsed(texts: Iterable[str]) -> list[Version]:
    return [v for text in texts if (v := _exact(text.replace("_", "+"))) is not None]


def _exact(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ValueError:
        return None


def _pinned(text: str) -> Version | None:
    """The version, if it is one and no range."""
    try:
        return Range.parse(text).exact if text else None
    except VersionSyntaxError:
        return None


def _newest(versions: Sequence[Version]) -> str:
    return str(max(versions)) if versions else ""


def write(found: Sequence[Update], *, major: bool) -> list[Update]:
    """Put newer versions into the files, and nothing else: comments, order and quotes stay. Gives what was
    changed. Only with `major` is a step taken that changes the major number."""
    chosen = [(u, u.newest if major else u.same_major) for u in found if u.pinned and u.place]
    changed = []
    for update, version in chosen:
        if version and update.place is not None:
            _replace(update.place, update.version, version)
            changed.append(update)
    return changed


def _replace(place: Place, old: str, new: str) -> None:
    path = Path(place.file)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    line = lines[place.line - 1]
    match = _SCALAR.match(line, place.column - 1)
    if match is None or match[0].strip("\"'").lstrip("v") != old.lstrip("v"):
        raise ProjectError(f'the version "{old}" is not written here', place=place, hint="change it by hand")
    quote = match[0][0] if match[0][0] in "\"'" else ""
    lines[place.line - 1] = f"{line[: match.start()]}{quote}{new}{quote}{line[match.end() :]}"
    path.write_text("".join(lines), "utf-8")
