"""OpenAPI: the v3 index and documents that clients read before they write, and a nearly empty v2."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import orjson

from sbkube.sandbox import crds, discovery, schema
from sbkube.sandbox.kinds import Kind, Registry

Json = dict[str, Any]
V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_WORDS = ("description", "default", "enum", "minimum", "maximum", "pattern")


def index(registry: Registry) -> Json:
    """/openapi/v3."""
    found = {"api/v1": ("", "v1")}
    for name, versions in discovery.groups(registry).items():
        found |= {f"apis/{name}/{v}": (name, v) for v in versions}
    return {
        "paths": {
            p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={fingerprint(registry, *gv)}"}
            for p, gv in found.items()
        }
    }


def fingerprint(registry: Registry, group: str, version: str) -> str:
    """What changes when the document of a group version does."""
    kinds = discovery.kinds_of(registry, group, version)
    state = repr(kinds) + (str(registry.generation) if any(k.custom for k in kinds) else "")
    return hashlib.sha256(state.encode()).hexdigest().upper()


def document(registry: Registry, group: str, version: str) -> Json:
    """/openapi/v3/… of one group version."""
    paths: Json = {}
    schemas: Json = {}
    prefix = f"/apis/{group}/{version}" if group else "/api/v1"
    for kind in discovery.kinds_of(registry, group, version):
        space = "/namespaces/{namespace}" if kind.namespaced else ""
        base = f"{prefix}{space}/{kind.plural}"
        paths[base] = _operations(kind, ("get", "post"), ("list", "create"))
        paths[base + "/{name}"] = _operations(
            kind, ("get", "put", "patch", "delete"), ("get", "update", "patch", "delete")
        )
        _schema(kind, schemas)
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _operations(kind: Kind, methods: tuple[str, ...], verbs: tuple[str, ...]) -> Json:
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    out: Json = {}
    for method, verb in zip(methods, verbs, strict=True):
        if verb not in kind.verbs:
            continue
        names = ("dryRun", "fieldManager", "fieldValidation") if verb in ("create", "update", "patch") else ()
        names = (*names, "force") if verb == "patch" else names
        out[method] = {
            "parameters": [{"name": n, "in": "query", "schema": {"type": "string"}} for n in names],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": verb,
            "x-kubernetes-group-version-kind": gvk,
        }
    return out


def _schema(kind: Kind, schemas: Json) -> None:
    top = schema.type_of(kind)
    if top.what != "struct":
        return
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    name = top.name or f"{kind.group}.{kind.version}.{kind.kind}"
    shown = _describe(top, schemas, True)
    if kind.custom:
        _explain(shown, crds.schema_of(kind))
    schemas[name] = {**shown, "x-kubernetes-group-version-kind": [gvk]}


def _explain(shown: Json, declared: Json) -> None:
    """Puts into a custom kind's schema what its author wrote for readers."""
    shown.update({word: declared[word] for word in _WORDS if word in declared})
    inner = shown.get("properties") or {}
    pairs = [(inner.get(name), part) for name, part in (declared.get("properties") or {}).items()]
    pairs += [(shown.get(word), declared.get(word)) for word in ("items", "additionalProperties")]
    for below, part in pairs:
        if isinstance(below, dict) and isinstance(part, dict) and "allOf" not in below:
            _explain(below, part)


def _describe(part: schema.Type, schemas: Json, inline: bool = False) -> Json:
    if part.what == "struct" and part.name and not inline:
        if part.name not in schemas:
            schemas[part.name] = {}
            schemas[part.name] = _describe(part, schemas, True)
        return {"allOf": [{"$ref": f"#/components/schemas/{part.name}"}]}
    if part.what == "struct":
        out: Json = {"type": "object", "properties": {k: _describe(v, schemas) for k, v in part.fields.items()}}
        if part.required:
            out["required"] = list(part.required)
    elif part.what == "map":
        out = {"type": "object", "additionalProperties": _describe(part.element or schema.ANY, schemas)}
    elif part.what == "list":
        out = {
            "type": "array",
            "items": _describe(part.element or schema.ANY, schemas),
            "x-kubernetes-list-type": part.list_type,
        }
        if part.keys:
            out["x-kubernetes-list-map-keys"] = list(part.keys)
    elif part.what == "scalar":
        plain = {"quantity": "string", "int-or-string": "string", "bytes": "string", "time": "string"}
        out = {"type": plain.get(part.scalar, part.scalar)}
        if part.format:
            out["format"] = part.format
    else:
        out = {"type": "object"}
    if part.merge_key:
        out["x-kubernetes-patch-merge-key"] = part.merge_key
    if part.strategy:
        out["x-kubernetes-patch-strategy"] = part.strategy
    if part.atomic:
        out["x-kubernetes-map-type"] = "atomic"
    return out


@lru_cache(maxsize=16)
def encoded(registry: Registry, group: str, version: str, state: str) -> bytes:
    """The document as bytes; `state` is its `fingerprint`, for which it is kept."""
    return orjson.dumps(document(registry, group, version))


def v2() -> bytes:
    """A v2 document with nothing but `swagger: "2.0"` and its title, as protobuf."""
    info = b"\x0a\x0aKubernetes\x12\x0bunversioned"
    return b"\x0a\x032.0" + b"\x12" + bytes([len(info)]) + info
