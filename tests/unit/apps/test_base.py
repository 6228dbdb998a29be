"""What all app types share."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sbkube.apps import APP_TYPES
from sbkube.apps.noop import NoopSpec
from sbkube.errors import Place


def test_the_registry_names_each_type_as_its_spec_does() -> None:
    for name, app_type in APP_TYPES.items():
        assert app_type.name == name
        assert app_type.spec.model_json_schema()["properties"]["type"]["const"] == name


def test_a_spec_knows_its_name_place_and_namespace() -> None:
    def where(*path: str | int, key: bool = False) -> Place:
        return Place("f.yaml", len(path), int(key))

    spec = NoopSpec.model_validate({"type": "noop"}).located("dns", where).resolved("shop")
    assert (spec.name, spec.namespace) == ("dns", "shop")
    assert spec.place == Place("f.yaml", 0, 1)
    assert spec.where("notes") == Place("f.yaml", 1, 0)


def test_specs_do_not_change() -> None:
    with pytest.raises(ValidationError):
        NoopSpec.model_validate({"type": "noop"}).enabled = False
