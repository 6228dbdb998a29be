"""What the API knows about each field: its type, how lists and maps merge, and what is required."""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources
from typing import Any

import orjson

from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]

# Defaults of members that are list-map keys (the source leaves them out; core/v1 `+default="TCP"`).
_KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}


class Type:
    """One type.

    `what`: struct (known `fields`), map (`element` for every key), list (`element`), scalar or any.
    `scalar`: string, integer, number, boolean, quantity, int-or-string, bytes, time. `list_type`: atomic, set or
    map (by `keys`, absent ones taken from `key_defaults`). `atomic`: the map or struct is owned as a whole.
    `merge_key`, `strategy`: strategic merge patch. `preserve`: a struct that keeps unknown fields.
    """

    __slots__ = (
        "atomic", "element", "fields", "format", "key_defaults", "keys", "list_type", "merge_key", "name",
        "preserve", "required", "scalar", "strategy", "what",
    )  # fmt: skip

    def __init__(self, what: str, name: str = "") -> None:
        self.what = what
        self.name = name
        self.scalar = ""
        self.format = ""
        self.fields: dict[str, Type] = {}
        self.element: Type | None = None
        self.list_type = "atomic"
        self.keys: tuple[str, ...] = ()
        self.key_defaults: Json = {}
        self.atomic = False
        self.merge_key = ""
        self.strategy = ""
        self.required: tuple[str, ...] = ()
        self.preserve = False

    def field(self, key: str) -> Type:
        """The type of a member; ANY for what is not known."""
        return self.fields.get(key) or self.element or ANY

    def copy(self) -> Type:
        """A copy that can get other merge rules."""
        new = Type(self.what, self.name)
        for slot in self.__slots__:
            setattr(new, slot, getattr(self, slot))
        return new


# Untyped values merge as smd's "deduced" type: maps by key, lists as a whole.
ANY = Type("any")


def _document() -> Json:
    raw = resources.files("sbkube").joinpath("data", "kubernetes-schema.json.gz").read_bytes()
    found: Json = orjson.loads(gzip.decompress(raw))
    return found


class Schema:
    """The built-in definitions; types are built when first asked for."""

    def __init__(self) -> None:
        document = _document()
        self.version: str = document["version"]
        self.definitions: dict[str, Json] = document["definitions"]
        self._names = {tuple(g): n for n, d in self.definitions.items() for g in d.get("g", ())}
        self._types: dict[str, Type] = {}

    def definition_name(self, gvk: tuple[str, str, str]) -> str | None:
        """The name of the definition of a kind."""
        return self._names.get(gvk)

    def type_of(self, gvk: tuple[str, str, str]) -> Type:
        """The type of a kind; ANY when the schema does not have it."""
        name = self._names.get(gvk)
        return self.named(name) if name else ANY

    def named(self, name: str) -> Type:
        """The type of a definition."""
        found = self._types.get(name)
        if found is not None:
            return found
        raw = self.definitions[name]
        if "p" not in raw:
            made = Type("any") if raw.get("t") == "any" else self._build(raw)
            made.name = name
            self._types[name] = made
            return made
        made = self._types[name] = Type("struct", name)
        made.atomic = bool(raw.get("a"))
        made.required = tuple(raw.get("r", ()))
        made.fields = {k: self._build(v) for k, v in raw["p"].items()}
        return made

    def _build(self, raw: Json) -> Type:
        if "$" in raw:
            target = self.named(raw["$"])
            if len(raw) == 1:
                return target
            made = target.copy()
            made.atomic = made.atomic or bool(raw.get("a"))
            made.strategy = raw.get("s", "")
            return made
        return self._inline(raw)

    def _inline(self, raw: Json) -> Type:
        kind = raw.get("t", "any")
        if kind == "array":
            made = Type("list")
            made.element = self._build(raw["i"]) if "i" in raw else ANY
            made.list_type = raw.get("l", "atomic")
            made.keys = tuple(raw.get("k", ()))
            made.key_defaults = {k: _KEY_DEFAULTS[k] for k in made.keys if k in _KEY_DEFAULTS}
        elif kind == "object":
            made = Type("map" if "m" in raw else "any")
            made.element = self._build(raw["m"]) if "m" in raw else None
            made.atomic = bool(raw.get("a"))
        elif kind == "any":
            return ANY
        else:
            made = Type("scalar")
            made.format = raw.get("f", "")
            made.scalar = {"byte": "bytes", "date-time": "time"}.get(made.format, str(kind))
        made.merge_key = raw.get("y", "")
        made.strategy = raw.get("s", "")
        return made


@cache
def builtin() -> Schema:
    """The built-in schema, read once."""
    return Schema()


_CUSTOM: dict[tuple[str, str, str], Type] = {}


def type_of(kind: Kind) -> Type:
    """The type of a served kind, custom ones included."""
    if kind.custom:
        return _CUSTOM.get(kind.gvk, ANY)
    return builtin().type_of(kind.gvk)


def metadata_type() -> Type:
    """ObjectMeta."""
    return builtin().named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


def register_custom(kind: Kind, openapi: Json | None) -> None:
    """Makes the type of a custom kind known from its `openAPIV3Schema`."""
    made = from_openapi(openapi or {})
    if made.what != "struct":
        made = Type("struct")
        made.preserve = True
    made.fields = {**made.fields, "apiVersion": _string(), "kind": _string(), "metadata": metadata_type()}
    made.name = f"{kind.api_version}.{kind.kind}"
    _CUSTOM[kind.gvk] = made


def _string() -> Type:
    made = Type("scalar")
    made.scalar = "string"
    return made


def from_openapi(raw: Json) -> Type:
    """The type that a structural schema describes."""
    if raw.get("x-kubernetes-int-or-string"):
        made = Type("scalar")
        made.scalar = "int-or-string"
        return made
    if raw.get("x-kubernetes-embedded-resource") and not raw.get("properties"):
        made = Type("struct")
        made.preserve = True
        made.fields = {"apiVersion": _string(), "kind": _string(), "metadata": metadata_type()}
        return made
    kind = raw.get("type")
    if kind == "object":
        return _open_object(raw)
    if kind == "array":
        made = Type("list")
        items = raw.get("items")
        items = items if isinstance(items, dict) else {}
        made.element = from_openapi(items)
        made.list_type = raw.get("x-kubernetes-list-type", "atomic")
        made.keys = tuple(raw.get("x-kubernetes-list-map-keys") or ())
        properties = items.get("properties") or {}
        made.key_defaults = {k: properties[k]["default"] for k in made.keys if "default" in properties.get(k, {})}
        return made
    if not kind:
        return ANY
    made = Type("scalar")
    made.scalar = kind
    made.format = raw.get("format", "")
    return made


def _open_object(raw: Json) -> Type:
    extra = raw.get("additionalProperties")
    properties = raw.get("properties")
    if properties is None and isinstance(extra, dict):
        made = Type("map")
        made.element = from_openapi(extra)
    else:
        made = Type("struct")
        made.fields = {k: from_openapi(v) for k, v in (properties or {}).items()}
        made.required = tuple(raw.get("required") or ())
        made.preserve = bool(raw.get("x-kubernetes-preserve-unknown-fields") or extra)
    made.atomic = raw.get("x-kubernetes-map-type") == "atomic"
    return made
