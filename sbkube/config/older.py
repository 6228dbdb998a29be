"""Older spellings at the top of a project file, as the settings that they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.errors import Problem
from sbkube.sources.yaml_reader import Document


def modern(
    raw: Mapping[str, Any], document: Document, problems: list[Problem], warnings: list[str]
) -> dict[str, Any]:
    """The file with `clusters` and `helm_sources` moved into its settings; what is set there wins."""
    result = dict(raw)
    given = result.get("settings")
    settings = dict(given) if isinstance(given, dict) else {}
    for key, (meaning, reader) in _READERS.items():
        if key not in result:
            continue
        content = result.pop(key)
        place = document.place(key, key=True)
        try:
            found = reader(content)
        except ValueError as error:
            problems.append(Problem(f"{key} {error}", place, f"write settings.{meaning} instead"))
            continue
        warnings.append(f"{place}: {key} is an older spelling of settings.{meaning}")
        for name, value in found.items():
            present = settings.get(name)
            settings[name] = {**value, **present} if isinstance(present, dict) else present or value
    if settings or given is not None:
        result["settings"] = settings if isinstance(given, dict | None) else given
    return result


def _clusters(content: Any) -> dict[str, Any]:
    """The one marked as default, or the only one."""
    items = _maps(content, "name")
    chosen = [item for item in items if item.get("default")] or items[:1]
    if len(chosen) > 1 or (len(items) > 1 and not chosen[0].get("default")):
        raise ValueError("must mark one cluster with default: true")
    found = {"cluster": chosen[0]["name"]} if chosen else {}
    return found | ({"kubeconfig_context": chosen[0]["context"]} if chosen and chosen[0].get("context") else {})


def _helm_sources(content: Any) -> dict[str, Any]:
    """OCI registries are those whose type or URL says so."""
    helm: dict[str, Any] = {}
    oci: dict[str, Any] = {}
    for item in _maps(content, "name", "url"):
        registry = str(item.get("type", "")).lower() == "oci" or str(item["url"]).startswith("oci://")
        (oci if registry else helm)[item["name"]] = {
            key: value for key, value in item.items() if key not in ("name", "type")
        }
    return {key: value for key, value in (("helm_repos", helm), ("oci_registries", oci)) if value}


def _maps(content: Any, *wanted: str) -> list[dict[str, Any]]:
    if isinstance(content, dict) and wanted == ("name", "url"):
        content = [{"name": k, **(v if isinstance(v, dict) else {"url": v})} for k, v in content.items()]
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ValueError("must be a list of maps")
    for item in content:
        for key in wanted:
            if not isinstance(item.get(key), str):
                raise ValueError(f"has an entry without {key}")
    return content


_READERS = {"clusters": ("kubeconfig_context", _clusters), "helm_sources": ("helm_repos", _helm_sources)}
