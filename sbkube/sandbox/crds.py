"""Custom resources: what a definition must be, and what its schema does to objects (prune, default, validate).

The words are those of `apiextensions-apiserver` and `kube-openapi/pkg/validation`. CEL rules are not evaluated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import (
    duplicate,
    immutable,
    invalid,
    objects,
    required,
    shown,
    subdomain,
    unsupported,
)

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
_SCHEMAS: dict[tuple[str, str, str], Json] = {}
_ROOT_MEMBERS = ("apiVersion", "kind", "metadata")
_SCHEMA_PATH = "spec.validation.openAPIV3Schema"


def remember(kind: Kind, openapi: Json | None) -> None:
    """Makes the schema of a served custom kind known."""
    _SCHEMAS[kind.gvk] = openapi or {}


def schema_of(kind: Kind) -> Json:
    """The kind's schema; an empty one when there is none."""
    return _SCHEMAS.get(kind.gvk, {})


def pruned(kind: Kind, obj: Json, unknown: list[str]) -> Json:
    """A copy without the fields that the schema does not know; their paths are added to `unknown`."""
    schema = schema_of(kind)
    kept: Json = {k: v for k, v in obj.items() if k in _ROOT_MEMBERS}
    rest = {k: v for k, v in obj.items() if k not in _ROOT_MEMBERS}
    return kept | dict(_prune(schema, rest, "", unknown))


def _prune(schema: Json, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _prune_object(schema, value, path, unknown)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items = schema["items"]
        return [_prune(items, v, f"{path}[{at}]", unknown) for at, v in enumerate(value)]
    return value


def _prune_object(schema: Json, value: Json, path: str, unknown: list[str]) -> Json:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    embedded = _ROOT_MEMBERS if schema.get("x-kubernetes-embedded-resource") else ()
    kept: Json = {}
    for key, child in value.items():
        where = f"{path}.{key}" if path else key
        if key in properties:
            kept[key] = _prune(properties[key], child, where, unknown)
        elif isinstance(extra, dict):
            kept[key] = _prune(extra, child, where, unknown)
        elif extra or schema.get("x-kubernetes-preserve-unknown-fields") or key in embedded:
            kept[key] = child
        else:
            unknown.append(where)
    return kept


def apply_defaults(kind: Kind, obj: Json) -> None:
    """Writes the schema's defaults into `obj`; a null where none is allowed makes room for one."""
    _default(schema_of(kind), obj)


def _default(schema: Json, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _default(schema.get("items") or {}, item)
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    for name, child in properties.items():
        empty = name not in value or (value[name] is None and not child.get("nullable"))
        if empty and "default" in child:
            value[name] = orjson.loads(orjson.dumps(child["default"]))
        if name in value:
            _default(child, value[name])
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        for name, child_value in value.items():
            if name not in properties:
                _default(extra, child_value)


def validate_custom(kind: Kind, obj: Json, old: Json | None) -> list[Cause]:
    """Everything in which a custom resource differs from its schema."""
    rest = {k: v for k, v in obj.items() if k not in _ROOT_MEMBERS}
    schema = {**schema_of(kind), "type": "object"}
    known = [r for r in schema.get("required") or () if r not in _ROOT_MEMBERS]
    found: list[Cause] = []
    _check({**schema, "required": known}, rest, "", found)
    return found


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return {str: "string", float: "number", list: "array"}.get(type(value), "object")


def _body(path: str) -> str:
    """A path as messages name it: those below `status` start there."""
    return path.removeprefix("status.")


def _is_type(wanted: str, value: Any) -> bool:
    actual = _type_name(value)
    return actual == wanted or (wanted == "number" and actual == "integer")


def _check(schema: Json, value: Any, path: str, found: list[Cause]) -> None:
    if value is None and schema.get("nullable"):
        return
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if _type_name(value) not in ("integer", "string"):
            found.append(_wrong_type(path, value, "integer,string"))
        return
    if wanted and not _is_type(wanted, value):
        found.append(_wrong_type(path, value, wanted))
        return
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(shown(k) for k in schema["enum"])
        text = f"Unsupported value: {shown(value)}: supported values: {known}"
        found.append(Cause("FieldValueNotSupported", text, path))
    if isinstance(value, dict):
        _check_object(schema, value, path, found)
    elif isinstance(value, list):
        _check_list(schema, value, path, found)
    elif isinstance(value, str):
        _check_text(schema, value, path, found)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(schema, value, path, found)
    _check_combined(schema, value, path, found)


def _wrong_type(path: str, value: Any, wanted: str) -> Cause:
    actual = _type_name(value)
    text = f'Invalid value: "{actual}": {_body(path)} in body must be of type {wanted}: "{actual}"'
    return Cause("FieldValueTypeInvalid", text, path)


def _check_object(schema: Json, value: Json, path: str, found: list[Cause]) -> None:
    properties = schema.get("properties") or {}
    prefix = f"{path}." if path else ""
    found += [required(f"{prefix}{n}") for n in schema.get("required") or () if n not in value]
    extra = schema.get("additionalProperties")
    for name in sorted(value):
        child = properties.get(name)
        if child is None and isinstance(extra, dict):
            child = extra
        if child is not None:
            _check(child, value[name], f"{prefix}{name}", found)
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        found.append(Cause("FieldValueTooMany", text, path))
    if least is not None and len(value) < least:
        found.append(invalid(path, len(value), f"{_body(path)} in body should have at least {least} properties"))


def _check_list(schema: Json, value: list[Any], path: str, found: list[Cause]) -> None:
    items = schema.get("items") or {}
    for at, item in enumerate(value):
        _check(items, item, f"{path}[{at}]", found)
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        found.append(Cause("FieldValueTooMany", text, path))
    if least is not None and len(value) < least:
        found.append(invalid(path, len(value), f"{_body(path)} in body should have at least {least} items"))
    kind = schema.get("x-kubernetes-list-type")
    seen: set[bytes] = set()
    for at, item in enumerate(value):
        if kind == "map" and isinstance(item, dict):
            item = {k: item[k] for k in schema.get("x-kubernetes-list-map-keys") or () if k in item}
            if not item:
                continue
        elif kind != "set":
            return
        key = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        if key in seen:
            found.append(duplicate(f"{path}[{at}]", item))
        seen.add(key)


def _check_text(schema: Json, value: str, path: str, found: list[Cause]) -> None:
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path))
    if least is not None and len(value) < least:
        found.append(invalid(path, value, f"{_body(path)} in body should be at least {least} chars long"))
    pattern = schema.get("pattern")
    if pattern and not _matches(pattern, value):
        found.append(invalid(path, value, f"{_body(path)} in body should match '{pattern}'"))
    form = schema.get("format")
    if form == "date-time" and not re.fullmatch(
        r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value
    ):
        found.append(invalid(path, value, f"{_body(path)} in body must be of type date-time: {shown(value)}"))


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Go's RE2 knows a few forms that Python does not; what cannot be read refuses nothing.
        return True


def _check_number(schema: Json, value: float, path: str, found: list[Cause]) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None:
        open_end = schema.get("exclusiveMaximum")
        if value > high or (open_end and value == high):
            words = "less than" if open_end else "less than or equal to"
            found.append(invalid(path, value, f"{_body(path)} in body should be {words} {shown(high)}"))
    if low is not None:
        open_end = schema.get("exclusiveMinimum")
        if value < low or (open_end and value == low):
            words = "greater than" if open_end else "greater than or equal to"
            found.append(invalid(path, value, f"{_body(path)} in body should be {words} {shown(low)}"))
    step = schema.get("multipleOf")
    if step and value % step:
        found.append(invalid(path, value, f"{_body(path)} in body should be a multiple of {shown(step)}"))


def _check_combined(schema: Json, value: Any, path: str, found: list[Cause]) -> None:
    for part in schema.get("allOf") or ():
        _check(part, value, path, found)
    for name, words in (("anyOf", "at least one schema (anyOf)"), ("oneOf", "one and only one schema (oneOf)")):
        parts = schema.get(name) or ()
        fitting = sum(_fits(p, value, path) for p in parts)
        if parts and (fitting == 0 or (name == "oneOf" and fitting > 1)):
            text = f'Invalid value: "": "{_body(path)}" must validate {words}'
            found.append(Cause("FieldValueInvalid", text, path))
    if schema.get("not") and _fits(schema["not"], value, path):
        text = f'Invalid value: "": "{_body(path)}" must not validate the schema (not)'
        found.append(Cause("FieldValueInvalid", text, path))


def _fits(schema: Json, value: Any, path: str) -> bool:
    inner: list[Cause] = []
    _check(schema, value, path, inner)
    return not inner


def validate_definition(obj: Json, old: Json | None) -> list[Cause]:
    """Everything wrong with a CustomResourceDefinition."""
    spec = obj.get("spec") or {}
    names, versions = spec.get("names") or {}, objects(spec.get("versions"))
    name, group = obj["metadata"].get("name", ""), spec.get("group") or ""
    found: list[Cause] = []
    if name != f"{names.get('plural', '')}.{group}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not group:
        found.append(required("spec.group"))
    elif "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    else:
        found += subdomain("spec.group", group)
    scope = spec.get("scope") or ""
    if scope not in ("Cluster", "Namespaced"):
        found.append(
            unsupported("spec.scope", scope, ("Cluster", "Namespaced")) if scope else required("spec.scope")
        )
    found += _versions(versions)
    found += _names(names)
    if not any(v.get("storage") for v in versions) and old is None:
        text = "Invalid value: null: must have at least one stored version"
        found.append(Cause("FieldValueInvalid", text, "status.storedVersions"))
    if old is not None:
        before = old["spec"]
        found += immutable("spec.group", group, before.get("group"))
        found += immutable("spec.scope", scope, before.get("scope"))
        found += immutable("spec.names.kind", names.get("kind"), (before.get("names") or {}).get("kind"))
        found += immutable("spec.names.plural", names.get("plural"), (before.get("names") or {}).get("plural"))
    return found


def _versions(versions: list[Json]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for at, version in enumerate(versions):
        name = version.get("name") or ""
        if name in seen:
            found.append(invalid(f"spec.versions[{at}].name", name, "must be unique"))
        seen.add(name)
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            found.append(required(f"spec.versions[{at}].schema.openAPIV3Schema"))
            continue
        path = _SCHEMA_PATH if len(versions) == 1 else f"spec.versions[{at}].schema.openAPIV3Schema"
        if not schema.get("type"):
            found.append(required(f"{path}.type", "must not be empty at the root"))
        _structural(schema, path, found)
    if sum(bool(v.get("storage")) for v in versions) != 1:
        quoted = [_quoted_version(v) for v in versions] or None
        found.append(invalid("spec.versions", quoted, "must have exactly one version marked as storage version"))
    return found


def _quoted_version(version: Json) -> Json:
    """A version as Go prints it; a single version's schema is kept elsewhere."""
    names = ("deprecationWarning", "schema", "subresources", "additionalPrinterColumns", "selectableFields")
    rest = {n[0].upper() + n[1:]: None for n in names}
    flags = {n.capitalize(): bool(version.get(n)) for n in ("served", "storage", "deprecated")}
    return {"Name": version.get("name", ""), **flags, **rest}


def _names(names: Json) -> list[Cause]:
    found = [required(f"spec.names.{n}") for n in ("plural", "singular", "kind", "listKind") if not names.get(n)]
    kind = names.get("kind")
    if kind and kind == names.get("listKind"):
        found.append(invalid("spec.names.listKind", kind, "kind and listKind may not be the same"))
    return found


def _structural(schema: Json, path: str, found: list[Cause]) -> None:
    if schema.get("type") == "array" and not schema.get("items"):
        found.append(required(f"{path}.items", "must be specified"))
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        text = "must not be empty if x-kubernetes-list-type is map"
        found.append(required(f"{path}.x-kubernetes-list-map-keys", text))
    if schema.get("default") is not None:
        inner: list[Cause] = []
        _check({k: v for k, v in schema.items() if k != "default"}, schema["default"], "", inner)
        found += [Cause(c.reason, c.message, f"{path}.default") for c in inner]
    for name, child in (schema.get("properties") or {}).items():
        where = f"{path}.properties[{name}]"
        if not isinstance(child, dict):
            found.append(required(f"{where}.type", "must not be empty for specified object fields"))
            continue
        typed = child.get("type") or child.get("x-kubernetes-int-or-string")
        if not typed and not child.get("x-kubernetes-preserve-unknown-fields"):
            found.append(required(f"{where}.type", "must not be empty for specified object fields"))
        _structural(child, where, found)
    if isinstance(schema.get("items"), dict):
        _structural(schema["items"], f"{path}.items", found)
    if isinstance(schema.get("additionalProperties"), dict):
        _structural(schema["additionalProperties"], f"{path}.additionalProperties", found)
