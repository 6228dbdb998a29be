"""JSON Schema of the project file, generated from the models, so that editors complete and check it.

`python -m sbkube.config.schema` writes the shipped copy anew; a test demands that it is current.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from sbkube.apps import APP_TYPES
from sbkube.config.check import known_keys
from sbkube.config.model import PhaseKeys, Settings, TopLevel
from sbkube.config.repositories import REPOSITORIES

NAME = "sbkube.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, as shipped in `sbkube/data`."""
    shared: dict[str, Any] = {}
    top = _part(TopLevel, shared)
    shared["Settings"] = _expandable(_part(Settings, shared))
    for key, model in REPOSITORIES.items():
        shared[model.__name__] = _expandable(_repository(_part(model, shared)))
        either = [{"type": "string"}, {"$ref": f"#/$defs/{model.__name__}"}]
        shared["Settings"]["properties"][key]["additionalProperties"] = {"anyOf": either}
    for name, app_type in APP_TYPES.items():
        shared[f"App-{name}"] = _app(_part(app_type.spec, shared), known_keys(app_type.spec))
    by_type = {"oneOf": [{"$ref": f"#/$defs/App-{name}"} for name in APP_TYPES]}
    shared["App"] = {"type": "object", "required": ["type"], **by_type}
    properties = top["properties"]
    properties["apiVersion"].pop("default", None)
    top["required"] = ["apiVersion"]
    properties["settings"] = {"$ref": "#/$defs/Settings"}
    apps = {
        "description": "The apps by name, in the order of the file.",
        "anyOf": [
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/App"}},
            {"type": "array", "items": {"$ref": "#/$defs/App"}},
        ],
    }
    properties["apps"] = apps
    phase = shared["Phase"] = _part(PhaseKeys, shared)
    phase["properties"] |= {"apps": apps, "settings": {"$ref": "#/$defs/Settings"}}
    phase["oneOf"] = [{"required": ["apps"]}, {"required": ["source"]}]
    properties["phases"]["additionalProperties"] = {"$ref": "#/$defs/Phase"}
    return {"$schema": _DRAFT, "title": "sbkube project file", **_without_title(top), "$defs": shared}


def _part(model: Any, shared: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(mode="validation")
    shared.update({name: _expandable(part) for name, part in schema.pop("$defs", {}).items()})
    return schema


def _app(schema: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Both spellings of a field with an alias; `name` for apps in a list."""
    properties = schema["properties"]
    for key in keys:
        if key not in properties:
            properties[key] = properties["manifests"]
    if "files" in properties:
        schema["required"] = [key for key in schema["required"] if key != "manifests"]
        schema["anyOf"] = [{"required": ["manifests"]}, {"required": ["files"]}]
    properties["name"] = {"type": "string", "description": "Name of the app, where apps are a list."}
    return schema


def _repository(schema: dict[str, Any]) -> dict[str, Any]:
    """A registry's address has two spellings."""
    properties = schema["properties"]
    if "registry" in properties:
        properties["url"] = properties["registry"]
        schema["anyOf"] = [{"required": ["registry"]}, {"required": ["url"]}]
        schema["required"] = [key for key in schema["required"] if key != "registry"]
    return schema


def _expandable(schema: dict[str, Any]) -> dict[str, Any]:
    """In settings `${ENV}` may stand where a number or a boolean is meant."""
    for part in schema["properties"].values():
        if part.get("type") in ("integer", "boolean"):
            rest = {key: part.pop(key) for key in ("type", "minimum", "maximum") if key in part}
            part["anyOf"] = [rest, {"type": "string", "pattern": r"\$\{"}]
    return schema


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def as_text() -> str:
    """The shipped file's content."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def shipped() -> str:
    """The copy in the package."""
    return (files("sbkube") / "data" / NAME).read_text("utf-8")


if __name__ == "__main__":
    Path(str(files("sbkube") / "data" / NAME)).write_text(as_text(), "utf-8")
