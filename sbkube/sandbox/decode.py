"""From what a client sent to an object of the right types: unknown fields out, wrong types refused."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from sbkube.sandbox import crds
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.quantities import NoQuantity, canonical
from sbkube.sandbox.schema import Type, builtin, metadata_type, type_of
from sbkube.sandbox.status import StatusError

Json = dict[str, Any]
_ROOT = "\0"
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_POSITION = re.compile(r"\[\d+\]")
# A schema inside a schema may also be a list or a boolean; where it is a schema, it has its fields.
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_SCHEMAS = ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool")
_RBAC = "rbac.authorization.k8s.io"
_GO = {"string": "string", "integer": "int32", "boolean": "bool", "number": "float64", "bytes": "[]uint8"}


@dataclass(slots=True)
class Decoded:
    """An object and what was odd about it: paths of unknown fields."""

    obj: Json
    unknown: list[str] = field(default_factory=list)


class WrongType(ValueError):
    """A value does not fit its field; the text is Go's. `owner` is the innermost struct around the field."""

    owner = ""


def decode(kind: Kind, obj: Json, keep_empty: bool = False) -> Decoded:
    """Checks the types of `obj`, drops unknown fields and nulls. Raises StatusError 400 for a wrong type.

    Empty maps and lists go too, as Go's `omitempty` has it (not in custom resources, nor with `keep_empty`).

    The result shares nothing that is changed later with `obj`.
    """
    out = Decoded({})
    try:
        if kind.custom:
            # Wrong types in custom resources are found by validation, which knows nullable fields too.
            out.obj = crds.pruned(kind, obj, out.unknown)
            if "metadata" in obj:
                out.obj["metadata"] = _value(metadata_type(), obj["metadata"], "metadata", out.unknown)
            return out
        out.obj = _struct(type_of(kind), obj, "", out.unknown)
        if not keep_empty:
            out.obj = _compact(kind, out.obj)
    except WrongType as error:
        raise Unreadable(kind, str(error).replace(_ROOT, error.owner or kind.kind)) from None
    return out


def tidied(kind: Kind, obj: Json) -> Json:
    """An object that was put together from decoded parts, as `decode` would give it."""
    return decode(kind, obj).obj if kind.custom else _compact(kind, obj)


def _compact(kind: Kind, obj: Json) -> Json:
    out = without_empty(type_of(kind), obj)
    _drop_zeros(kind, out)
    if kind.group == _RBAC and obj.get("rules") == []:
        out["rules"] = []
    return out


class Unreadable(StatusError):
    """400: the object does not fit its kind; `why` is the part that other messages quote."""

    def __init__(self, kind: Kind, why: str) -> None:
        text = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'
        super().__init__(400, "BadRequest", text)
        self.why = why


def plain(name: str, definition: str, obj: Json) -> Json:
    """An object that is never stored (`DeleteOptions`), in the types of its definition. Raises StatusError."""
    try:
        return _struct(builtin().named(definition), obj, "", [])
    except WrongType as error:
        text = str(error).replace(_ROOT, error.owner or name)
        raise StatusError(400, "BadRequest", text) from None


# Counts in the status of workloads that are written even when they are zero; the others are `omitempty`.
_POINTERS = ("collisionCount", "terminatingReplicas")
_COUNTS = {
    "Deployment": (),
    "ReplicaSet": ("replicas",),
    "StatefulSet": ("replicas", "availableReplicas"),
    "DaemonSet": ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"),
}


def _drop_zeros(kind: Kind, obj: Json) -> None:
    status = obj.get("status")
    if kind.group == "apps" and kind.kind in _COUNTS and isinstance(status, dict):
        kept = _COUNTS[kind.kind]
        obj["status"] = {k: v for k, v in status.items() if v != 0 or k in kept or k in _POINTERS}


def without_empty(kind: Type, obj: Json) -> Json:
    """The object without empty maps and lists where those are the same as nothing."""
    out = {}
    for key, value in obj.items():
        if value is None:
            continue
        child = kind.field(key)
        if isinstance(value, (dict, list)):
            if not value and child.what in ("map", "list") and key not in kind.required:
                continue
            if child.what == "struct" and isinstance(value, dict):
                value = without_empty(child, value)
            elif child.what == "list" and child.element is not None and child.element.what == "struct":
                element = child.element
                value = [without_empty(element, v) for v in value]
        out[key] = value
    return out


def _value(kind: Type, value: Any, path: str, unknown: list[str]) -> Any:
    what = kind.what
    if what == "scalar":
        return _scalar(kind, value, path)
    if what == "any":
        if kind.name.endswith(_SCHEMAS) and isinstance(value, dict):
            return _struct(builtin().named(_SCHEMA), value, path, unknown)
        return value
    if what == "list":
        if not isinstance(value, list):
            raise WrongType(
                f"json: cannot unmarshal {_json_name(value)} into Go struct field {_last(path)} of type []"
            )
        element = kind.element
        assert element is not None
        return [_value(element, v, f"{path}[{n}]", unknown) for n, v in enumerate(value) if v is not None]
    if not isinstance(value, dict):
        raise WrongType(
            f"json: cannot unmarshal {_json_name(value)} into Go struct field {_last(path)} of type "
            + ("map[string]string" if what == "map" else kind.name.rpartition(".api.")[2] or kind.name)
        )
    if what == "map":
        return {k: _map_value(kind, v, path, unknown) for k, v in value.items()}
    return _struct(kind, value, path, unknown)


def _map_value(kind: Type, value: Any, path: str, unknown: list[str]) -> Any:
    element = kind.element
    assert element is not None
    if value is None:
        return "" if element.scalar in ("string", "bytes") else {} if element.what == "struct" else None
    return _value(element, value, path, unknown)


def _struct(kind: Type, value: Json, path: str, unknown: list[str]) -> Json:
    out = {}
    fields = kind.fields
    for key, child in value.items():
        known = fields.get(key)
        where = f"{path}.{key}" if path else key
        if known is None:
            if kind.what == "any" or kind.preserve:
                out[key] = child
            else:
                unknown.append(where)
        elif child is not None:
            try:
                out[key] = _value(known, child, where, unknown)
            except WrongType as error:
                error.owner = error.owner or kind.name.rpartition(".")[2]
                raise
    return out


def _scalar(kind: Type, value: Any, path: str) -> Any:
    wanted = kind.scalar
    if wanted in ("string", "bytes", "time"):
        good = isinstance(value, str)
        if good and wanted == "bytes":
            _check_base64(value)
    elif wanted == "boolean":
        good = isinstance(value, bool)
    elif wanted == "integer":
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        limit = 1 << (31 if kind.format == "int32" else 63)
        good = isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
    elif wanted == "quantity":
        good = isinstance(value, (int, float, str)) and not isinstance(value, bool)
        if good:
            return _quantity(str(value))
    elif wanted == "int-or-string":
        good = isinstance(value, (int, str)) and not isinstance(value, bool)
    else:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good:
        go = _GO.get(wanted, wanted)
        go = kind.format if wanted == "integer" and kind.format else go
        name = _json_name(value)
        # Go quotes a number that is too large or has a fraction, but not one that is none.
        name = f"number {value}" if wanted == "integer" and name == "number" else name
        raise WrongType(f"json: cannot unmarshal {name} into Go struct field {_last(path)} of type {go}")
    return value


def _quantity(text: str) -> str:
    try:
        return canonical(text)
    except NoQuantity as error:
        raise WrongType(str(error)) from None


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        wrong = _NO_BASE64.search(text)
        at = wrong.start() if wrong else len(text) - len(text) % 4
        raise WrongType(f"illegal base64 data at input byte {at}") from None


def _json_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _last(path: str) -> str:
    """The path as Go names it: behind the kind, without positions."""
    return f"{_ROOT}.{_POSITION.sub('', path)}"
