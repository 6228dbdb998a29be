"""Tables for kubectl."""

from __future__ import annotations

import pytest

from sbkube.sandbox import tables
from sbkube.sandbox.kinds import BUILTIN, Kind
from sbkube.sandbox.printing.times import duration


@pytest.mark.parametrize("kind", BUILTIN, ids=lambda k: f"{k.api_version}/{k.kind}")
def test_each_kind_has_as_many_cells_as_columns(kind: Kind) -> None:
    bare = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    assert len(tables.cells(kind, bare)) == len(tables.columns(kind))
    assert tables.columns(kind)[0]["description"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5s"),
        (119, "119s"),
        (310, "5m10s"),
        (3600, "60m"),
        (3600 * 5, "5h"),
        (86400 * 3, "3d"),
        (86400 * 800, "2y70d"),
    ],
)
def test_ages_read_as_kubectl_shows_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_printer_columns_follow_json_paths() -> None:
    kind = Kind("example.com", "v1", "Widget", "widgets", "widget", custom=True)
    path = '.status.conditions[?(@.type=="Ready")].status'
    tables.remember(kind, [{"name": "Ready", "type": "string", "jsonPath": path}])
    ready = {"conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}]}
    assert tables.cells(kind, {"metadata": {"name": "w"}, "status": ready}) == ["w", "True"]
    assert tables.cells(kind, {"metadata": {"name": "w"}}) == ["w", None]
