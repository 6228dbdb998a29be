"""The shipped JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbkube.config.load import load_project
from sbkube.config.schema import as_text, json_schema, shipped
from sbkube.config.starter import starter_files
from sbkube.sources.yaml_reader import read_one

GOOD = [
    "{apiVersion: sbkube/v1}",
    "{apiVersion: sbkube/v1, apps: {a: {type: yaml, files: [x]}}, settings: {max_workers: '${N}', timeout: 5m}}",
    "{apiVersion: sbkube/v1, apps: [{name: a, type: helm, chart: ./x, values: [x, {a: 1}], set_values: [a=1]}]}",
    starter_files("shop")["sbkube.yaml"],
]
BAD = [
    "{}",
    "{apiVersion: sbkube/v1, app: {}}",
    "{apiVersion: sbkube/v1, apps: {a: {type: yaml}}}",
    "{apiVersion: sbkube/v1, apps: {a: {type: helmm, chart: x}}}",
    "{apiVersion: sbkube/v1, settings: {max_workers: 99}}",
]


def test_the_shipped_schema_is_current() -> None:
    assert shipped() == as_text(), "run: python -m sbkube.config.schema"


def test_it_is_a_schema_that_says_what_keys_mean() -> None:
    schema = json.loads(shipped())
    assert schema == json_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    for part in (schema["$defs"]["Settings"], schema["$defs"]["App-helm"]):
        assert all("description" in p or "const" in p or "$ref" in p for p in part["properties"].values())


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_is_valid(text: str, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json_schema()).validate(read_one(text, "f.yaml").value)
    (tmp_path / "sbkube.yaml").write_text(text)
    load_project(tmp_path, environ={"N": "4"})


@pytest.mark.parametrize("text", BAD)
def test_what_does_not_load_is_not(text: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(read_one(text, "f.yaml").value)
