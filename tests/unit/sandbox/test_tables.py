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


def _row(api_version: str, kind: str, **body: object) -> list[object]:
    """A row without the age."""
    found = next(k for k in BUILTIN if (k.api_version, k.kind) == (api_version, kind))
    row = tables.cells(found, {"metadata": {"name": "x"}, **body})
    names = [c["name"] for c in tables.columns(found)]
    return [cell for name, cell in zip(names, row, strict=True) if name != "Age"]


def test_classes_volumes_and_quotas() -> None:
    hard = {"pods": "9", "limits.cpu": "2"}
    assert _row("v1", "ResourceQuota", spec={"hard": hard}) == ["x", "pods: 0/9", "limits.cpu: 0/2"]
    assert _row("scheduling.k8s.io/v1", "PriorityClass", value=7) == ["x", 7, False, "PreemptLowerPriority"]
    volume = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "claimRef": {"namespace": "n", "name": "c"},
    }
    shown = _row("v1", "PersistentVolume", spec=volume, status={"phase": "Bound"})
    assert shown[1:6] == ["1Gi", "RWO", "", "Bound", "n/c"]
    ends = [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]
    slice_ = _row("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", ports=[{"port": 80}], endpoints=ends)
    assert slice_ == ["x", "IPv4", "80", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."]
