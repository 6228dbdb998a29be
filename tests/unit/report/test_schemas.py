"""The shipped JSON Schemas are current and valid, and refuse what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import sbkube
from sbkube.api import schema as printed
from sbkube.errors import Place, Problem, ProjectError, UsageError
from sbkube.models.outcome import Event
from sbkube.report import machine, schemas

FOLDER = Path(sbkube.__file__).parent / "data" / "schemas"


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_shipped_file_is_current(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text("utf-8") == schemas.text(name)
    Draft202012Validator.check_schema(printed(name))


def test_nothing_else_is_shipped() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == list(schemas.NAMES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="no schema"):
        printed("../sbkube.schema")


def test_without_a_name_it_is_the_project_file() -> None:
    assert "apps" in printed()["properties"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "sbkube/version/v1"},
        {"schema": "sbkube/version/v2", "version": "1", "python": "3", "platform": "x"},
    ],
)
def test_wrong_documents_are_refused(wrong: dict[str, str]) -> None:
    assert not Draft202012Validator(printed("version")).is_valid(wrong)


def test_errors_and_events_fit() -> None:
    problem = Problem("no", Place("a.yaml", 1, 2), "do it")
    errors = [machine.error(ProjectError("no", problems=[problem])), machine.error(UsageError("no"))]
    for document in errors:
        Draft202012Validator(printed("error")).validate(json.loads(json.dumps(document)))
    event = machine.event(Event("app.started", datetime.now(UTC), app="a"))
    Draft202012Validator(printed("event")).validate(event)


def test_the_module_writes_what_is_shipped() -> None:
    before = {path: path.read_bytes() for path in FOLDER.iterdir()}
    subprocess.run([sys.executable, "-m", "sbkube.report.schemas"], check=True)
    assert {path: path.read_bytes() for path in FOLDER.iterdir()} == before
