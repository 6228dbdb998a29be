"""`sbkube.lock`: what sources turned out to be, so that the next run and the next person get the same."""

from __future__ import annotations

import threading
from pathlib import Path

import yaml

from sbkube.errors import Place, PlanRefused, ProjectError, SourceUnavailable
from sbkube.models.source import Pinned
from sbkube.sources.yaml_reader import read_file, read_one, shown

FILE_NAME = "sbkube.lock"
_VERSION = 1
_HEAD = "# Versions, digests and commits of this project's sources. Made by sbkube; commit it.\n"


class LockFile:
    """The pins of one project. Safe for use from several threads."""

    def __init__(self, path: Path, *, locked: bool = False) -> None:
        """Read it if it is there. With `locked` a pin that is missing or different is refused."""
        self.path = path
        self._locked = locked
        self._guard = threading.Lock()
        self._known = {(pin.source, pin.wanted): pin for pin in _read(path)} if path.exists() else {}
        self._used: dict[tuple[str, str], Pinned] = {}

    def find(self, source: str, wanted: str) -> Pinned | None:
        """The pin for what a project asks for; raises PlanRefused if there must be one and is none."""
        pin = self._known.get((source, wanted))
        if pin is None and self._locked:
            raise PlanRefused(
                f"{self.path.name} does not pin {source} {wanted}".rstrip(),
                hint="run `sbkube prepare` without --locked, look at the change of the file, and commit it",
            )
        return pin

    def keep(self, pin: Pinned) -> None:
        """Note what a source turned out to be; raises SourceUnavailable when it is not what was pinned."""
        with self._guard:
            known = self._known.get((pin.source, pin.wanted))
            if known is not None and known.found == pin.found and _differ(known.digest, pin.digest):
                raise SourceUnavailable(
                    f"{pin.source} {pin.found} is not what it was: it has the digest {pin.digest}, "
                    f"{self.path.name} says {known.digest}",
                    hint=f"find out who changed it; if it is right, remove its entry from {self.path.name}",
                )
            self._used[pin.source, pin.wanted] = pin

    @property
    def changed(self) -> bool:
        """What was used is not all that the file says."""
        return any(self._known.get(key) != pin for key, pin in self._used.items())

    def save(self, *, whole: bool) -> bool:
        """Write what was used (with `whole` nothing else stays); tells whether the file changed."""
        pins = dict(self._used) if whole else {**self._known, **self._used}
        if pins == self._known or (not pins and not self.path.exists()):
            return False
        entries = [_entry(pins[key]) for key in sorted(pins)]
        text = _HEAD + yaml.safe_dump({"version": _VERSION, "sources": entries}, sort_keys=False, width=1000)
        part = self.path.with_name(f".{self.path.name}.part")
        part.write_text(text)
        part.replace(self.path)
        self._known = pins
        return True


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _entry(pin: Pinned) -> dict[str, str]:
    entry = {"source": pin.source, "wanted": pin.wanted, "found": pin.found, "digest": pin.digest}
    return {name: value for name, value in entry.items() if value}


def _read(path: Path) -> list[Pinned]:
    text, _ = read_file(path)
    document = read_one(text, shown(path))
    value = document.value
    way_out = "remove the file and run `sbkube prepare` to make it anew"
    if not isinstance(value, dict) or not isinstance(value.get("sources"), list):
        raise ProjectError("this is no lock file", place=document.place(), hint=way_out)
    if value.get("version") != _VERSION:
        raise ProjectError(
            f"version {value.get('version')} of the lock file is not known", place=document.place("version"),
            hint="a newer sbkube may have written it",
        )  # fmt: skip
    pins = []
    for index, entry in enumerate(value["sources"]):
        if not isinstance(entry, dict) or not {"source", "found"} <= entry.keys() <= _FIELDS:
            raise _broken(document.place("sources", index), way_out)
        pins.append(Pinned(*(str(entry.get(name, "")) for name in ("source", "wanted", "found", "digest"))))
    return pins


_FIELDS = {"source", "wanted", "found", "digest"}


def _broken(place: Place, way_out: str) -> ProjectError:
    return ProjectError("an entry wants source, wanted, found and digest", place=place, hint=way_out)
