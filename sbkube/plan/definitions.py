"""What an upgrade of a CustomResourceDefinition would break for objects of its kind that exist already.

The rules are those of the Kubernetes documentation, "Versions in CustomResourceDefinitions": a version that is
stored must stay, clients use every version that is served, and objects are validated again when they are next
written. The API server itself refuses only the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ANNOTATION = "sbkube.dev/unsafe-crd-upgrade"
ALLOW = "allow"
HINT = f"convert or delete the objects first, or annotate the definition {ANNOTATION}: {ALLOW}"


def is_definition(body: Mapping[str, Any]) -> bool:
    """Whether an object is a CustomResourceDefinition."""
    return body.get("kind") == "CustomResourceDefinition"


def hazards(live: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
    """What would break, in words; empty for what is safe or has been allowed by annotation."""
    notes = (desired.get("metadata") or {}).get("annotations") or {}
    if notes.get(ANNOTATION) == ALLOW:
        return []
    old, new = live.get("spec") or {}, desired.get("spec") or {}
    return [*_scope(old, new), *_versions(live, old, new), *_required(old, new)]


def _scope(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old.get("scope") != new.get("scope"):
        yield f"its scope would change from {old.get('scope')} to {new.get('scope')}"


def _by_name(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(version.get("name")): version for version in spec.get("versions") or ()}


def _versions(live: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    stored = set((live.get("status") or {}).get("storedVersions") or ())
    for name, version in before.items():
        if name in stored and name not in after:
            yield f"version {name} would go, and objects are stored in it"
        elif version.get("served") and not after.get(name, {}).get("served"):
            yield f"version {name} would no longer be served"


def _required(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for name in before.keys() & after.keys():
        for path in _new_requirements(_schema(before[name]), _schema(after[name]), ()):
            yield f"{'.'.join(path)} would be required in version {name}"


def _schema(version: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _new_requirements(
    old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Paths that only the new schema requires, below what objects may have had under the old one.

    What a default fills in is no hazard. Below a field that is new nothing can be missing yet.
    """
    properties = new.get("properties") or {}
    for name in _added(old.get("required"), new.get("required")):
        if "default" not in (properties.get(name) or {}):
            yield (*at, name)
    known = old.get("properties") or {}
    for name in known.keys() & properties.keys():
        yield from _new_requirements(known[name], properties[name], (*at, name))
    for below in ("items", "additionalProperties"):
        one, other = old.get(below), new.get(below)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _new_requirements(one, other, (*at[:-1], f"{at[-1]}[*]") if at else ("[*]",))


def _added(old: Sequence[str] | None, new: Sequence[str] | None) -> list[str]:
    return [name for name in new or () if name not in (old or ())]
