"""The history table fits a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sbkube.models.deployment_state import DeploymentRecord, DeploymentStatus
from sbkube.report.history import changes, table
from sbkube.report.ink import Ink
from sbkube.report.layout import visible

NOW = datetime(2026, 5, 1, tzinfo=UTC)
RECORD = DeploymentRecord(
    id=1,
    deployment_id="dep-20260501120000-0a1b2c3d",
    status=DeploymentStatus.PARTIALLY_FAILED,
    created_at=NOW - timedelta(days=400),
    cluster="production-cluster-in-frankfurt",
    namespace="a-rather-long-namespace",
    app_config_dir="/p",
    config_file_path="/p/sbkube.yaml",
    command="rollback",
    config_snapshot={},
    project="a-project-with-a-long-name",
    ended_at=NOW - timedelta(days=400) + timedelta(hours=2),
    counts={"create": 120, "change": 44, "recreate": 2, "delete": 3, "unchanged": 900},
)


@pytest.mark.parametrize("colour", [False, True])
def test_the_widest_records_fit_80_columns(colour: bool) -> None:
    other = replace(RECORD, project="b", cluster="c", ended_at=None)
    lines = table([RECORD, other], ink=Ink(colour), now=NOW).splitlines()
    assert max(visible(line) for line in lines) <= 80
    assert lines[1].startswith(RECORD.deployment_id) and "400d" in lines[1]
    assert "partly failed" in lines[1] and "a-project" in lines[1] and "…" not in lines[0]


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_an_id_is_never_cut(width: int) -> None:
    other = replace(RECORD, project="b", cluster="c", rolled_back_by="dep-2")
    text = table([RECORD, other], ink=Ink(), now=NOW, width=width)
    assert text.count(RECORD.deployment_id) == 2 and "partly failed, undone" in text


def test_a_namespace_is_told_where_projects_of_one_name_differ_by_it() -> None:
    other = replace(RECORD, namespace="shop")
    assert "shop/a-project-with-a-long-name" in table([RECORD, other], ink=Ink(), now=NOW, width=0)
    named = table([RECORD, replace(other, project="b")], ink=Ink(), now=NOW, width=0)
    assert "shop/" not in named and "  a-project-with-a-long-name  " in named


def test_what_was_rolled_back_is_told_beside_its_status() -> None:
    undone = replace(RECORD, rolled_back_by="dep-20260502120000-0a1b2c3d")
    lines = table([undone, replace(undone, status=DeploymentStatus.SUCCESS)], ink=Ink(), now=NOW).splitlines()
    assert "partly failed, undone" in lines[1] and "rolled back" in lines[2]
    other = replace(undone, project="b", cluster="c", ended_at=None)
    assert max(visible(line) for line in table([undone, other], ink=Ink(), now=NOW).splitlines()) <= 80


def test_the_id_is_whole_where_it_fits() -> None:
    lines = table([RECORD], ink=Ink(), now=NOW).splitlines()
    assert lines[1].startswith("dep-20260501120000-0a1b2c3d  partly failed")
    assert "PROJECT" not in lines[0] and "CLUSTER" not in lines[0]


def test_changes() -> None:
    assert changes({"create": 2, "delete": 1, "unchanged": 9}) == "+2 -1"
    assert changes({}) == changes({"releases": 0, "commands": 0}) == "none"
    assert changes({"create": 2, "releases": 1, "commands": 1}) == "+2"
    assert changes({"create": 0, "releases": 1, "commands": 2}) == "1 release, 2 commands"
    assert table([], ink=Ink()) == "No deployments are recorded."


def test_csv_is_one_clean_document_that_no_spreadsheet_runs():
    import csv
    import io
    from dataclasses import replace

    from unit.cli.fake_api import record

    from sbkube.report.machine import history_csv

    error = '=HYPERLINK("http://x","y")\nsecond, line'
    text = history_csv([replace(record(), error_message=error, operator="@ann"), record(origin={"commit": "+1"})])
    assert text.count("\r\n") == 3 and text.endswith("\r\n")
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert first["error"] == "'" + error and first["operator"] == "'@ann" and second["commit"] == "'+1"
    assert (first["create"], first["change"], first["delete"], first["dry_run"]) == ("2", "1", "0", "false")
    assert history_csv([]).splitlines() == [text.split("\r\n", maxsplit=1)[0]]
