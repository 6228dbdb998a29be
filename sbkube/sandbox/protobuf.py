"""Reads the protobuf bodies that typed Go clients send for the few kinds that charts and Helm write that way.

A body is `k8s\\0` followed by a `runtime.Unknown` (its TypeMeta and the raw message). The tables below give the
field numbers of `k8s.io/api` and `k8s.io/apimachinery` (`generated.proto`). Fields of these messages that are not
listed are passed over; those of `protobuf_workloads` are read in full or refused. So are kinds without a table.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sbkube.sandbox import protobuf_policies, protobuf_workloads

Json = dict[str, Any]
MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"


class ProtobufError(ValueError):
    """The bytes are not the message that they claim to be (a 400)."""


class UnsupportedKind(ValueError):
    """No table for this kind: the sandbox takes it as JSON only (a 415)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One numbered field: `type` is a scalar's name or a message's; `shape` is one, list or map."""

    name: str
    type: str
    shape: str = "one"


_F = Field
_MESSAGES: dict[str, dict[int, Field]] = {
    "Unknown": {1: _F("typeMeta", "TypeMeta"), 2: _F("raw", "raw"), 3: _F("contentEncoding", "string")},
    "TypeMeta": {1: _F("apiVersion", "string"), 2: _F("kind", "string")},
    "ObjectMeta": {
        1: _F("name", "string"),
        2: _F("generateName", "string"),
        3: _F("namespace", "string"),
        4: _F("selfLink", "string"),
        5: _F("uid", "string"),
        6: _F("resourceVersion", "string"),
        7: _F("generation", "int"),
        8: _F("creationTimestamp", "Time"),
        9: _F("deletionTimestamp", "Time"),
        10: _F("deletionGracePeriodSeconds", "int"),
        11: _F("labels", "string", "map"),
        12: _F("annotations", "string", "map"),
        13: _F("ownerReferences", "OwnerReference", "list"),
        14: _F("finalizers", "string", "list"),
        17: _F("managedFields", "ManagedFieldsEntry", "list"),
    },
    "OwnerReference": {
        1: _F("kind", "string"),
        3: _F("name", "string"),
        4: _F("uid", "string"),
        5: _F("apiVersion", "string"),
        6: _F("controller", "bool"),
        7: _F("blockOwnerDeletion", "bool"),
    },
    "ManagedFieldsEntry": {
        1: _F("manager", "string"),
        2: _F("operation", "string"),
        3: _F("apiVersion", "string"),
        4: _F("time", "Time"),
        6: _F("fieldsType", "string"),
        7: _F("fieldsV1", "FieldsV1"),
        8: _F("subresource", "string"),
    },
    "v1 Secret": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("data", "bytes", "map"),
        3: _F("type", "string"),
        4: _F("stringData", "string", "map"),
        5: _F("immutable", "bool"),
    },
    "v1 ConfigMap": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("data", "string", "map"),
        3: _F("binaryData", "bytes", "map"),
        4: _F("immutable", "bool"),
    },
    "v1 Namespace": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("spec", "NamespaceSpec"),
        3: _F("status", "NamespaceStatus"),
    },
    "NamespaceSpec": {1: _F("finalizers", "string", "list")},
    "NamespaceStatus": {1: _F("phase", "string")},
    "v1 ServiceAccount": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("secrets", "ObjectReference", "list"),
        3: _F("imagePullSecrets", "LocalObjectReference", "list"),
        4: _F("automountServiceAccountToken", "bool"),
    },
    "v1 Event": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("involvedObject", "ObjectReference"),
        3: _F("reason", "string"),
        4: _F("message", "string"),
        5: _F("source", "EventSource"),
        6: _F("firstTimestamp", "Time"),
        7: _F("lastTimestamp", "Time"),
        8: _F("count", "int"),
        9: _F("type", "string"),
        10: _F("eventTime", "MicroTime"),
        12: _F("action", "string"),
        14: _F("reportingComponent", "string"),
        15: _F("reportingInstance", "string"),
    },
    "EventSource": {1: _F("component", "string"), 2: _F("host", "string")},
    "ObjectReference": {
        1: _F("kind", "string"),
        2: _F("namespace", "string"),
        3: _F("name", "string"),
        4: _F("uid", "string"),
        5: _F("apiVersion", "string"),
        6: _F("resourceVersion", "string"),
        7: _F("fieldPath", "string"),
    },
    "LocalObjectReference": {1: _F("name", "string")},
    "coordination.k8s.io/v1 Lease": {1: _F("metadata", "ObjectMeta"), 2: _F("spec", "LeaseSpec")},
    "LeaseSpec": {
        1: _F("holderIdentity", "string"),
        2: _F("leaseDurationSeconds", "int"),
        3: _F("acquireTime", "MicroTime"),
        4: _F("renewTime", "MicroTime"),
        5: _F("leaseTransitions", "int"),
        6: _F("strategy", "string"),
        7: _F("preferredHolder", "string"),
    },
    "DeleteOptions": {
        1: _F("gracePeriodSeconds", "int"),
        2: _F("preconditions", "Preconditions"),
        3: _F("orphanDependents", "bool"),
        4: _F("propagationPolicy", "string"),
        5: _F("dryRun", "string", "list"),
        6: _F("ignoreStoreReadErrorWithClusterBreakingPotential", "bool"),
    },
    "Preconditions": {1: _F("uid", "string"), 2: _F("resourceVersion", "string")},
    "authorization.k8s.io/v1 SelfSubjectAccessReview": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("spec", "SelfSubjectAccessReviewSpec"),
    },
    "SelfSubjectAccessReviewSpec": {
        1: _F("resourceAttributes", "ResourceAttributes"),
        2: _F("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: _F("namespace", "string"),
        2: _F("verb", "string"),
        3: _F("group", "string"),
        4: _F("version", "string"),
        5: _F("resource", "string"),
        6: _F("subresource", "string"),
        7: _F("name", "string"),
    },
    "NonResourceAttributes": {1: _F("path", "string"), 2: _F("verb", "string")},
    "authorization.k8s.io/v1 SelfSubjectRulesReview": {
        1: _F("metadata", "ObjectMeta"),
        2: _F("spec", "SelfSubjectRulesReviewSpec"),
    },
    "SelfSubjectRulesReviewSpec": {1: _F("namespace", "string")},
    "authentication.k8s.io/v1 SelfSubjectReview": {1: _F("metadata", "ObjectMeta")},
    "authentication.k8s.io/v1 TokenReview": {1: _F("metadata", "ObjectMeta"), 2: _F("spec", "TokenReviewSpec")},
    "TokenReviewSpec": {1: _F("token", "string"), 2: _F("audiences", "string", "list")},
}
_STRICT = {
    name: {number: Field(*row) for number, row in rows.items()}
    for name, rows in (protobuf_workloads.STRICT | protobuf_policies.STRICT).items()
}
_SCALARS = ("IntOrString", "Quantity", "string", "bytes", "raw", "int", "bool", "Time", "MicroTime", "FieldsV1")


def decode(body: bytes) -> Json:
    """The object in a protobuf body, as its JSON would be.

    Raises ProtobufError when the bytes are not such a message, UnsupportedKind for kinds without a table.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    unknown = _message("Unknown", body[len(MAGIC) :])
    meta = unknown.get("typeMeta") or {}
    api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
    if not kind or not api_version:
        raise ProtobufError("Object 'Kind' is missing in 'protobuf'")
    table = kind if kind == "DeleteOptions" else f"{api_version} {kind}"
    if table not in _MESSAGES and table not in _STRICT:
        raise UnsupportedKind(f"{api_version}, Kind={kind}")
    return {"apiVersion": api_version, "kind": kind, **_message(table, unknown.get("raw", b""))}


def encode_unknown(api_version: str, kind: str, raw: bytes = b"") -> bytes:
    """An envelope around an already encoded message: what a typed client would send."""
    meta = _tagged(1, api_version.encode()) + _tagged(2, kind.encode())
    return MAGIC + _tagged(1, meta) + _tagged(2, raw)


def _message(table: str, data: bytes) -> Json:
    strict = table in _STRICT
    fields = _STRICT[table] if strict else _MESSAGES[table]
    found: Json = {}
    for number, wire, value in _entries(data):
        field = fields.get(number)
        if field is not None:
            _store(found, field, wire, value)
        elif strict and _says_something(value):
            raise UnsupportedKind(f"field {number} of {table}")
    return found


def _says_something(value: int | bytes) -> bool:
    """Whether a field is more than Go's zero value, which is written even when nobody set it."""
    if isinstance(value, int):
        return value != 0
    try:
        return any(_says_something(v) for _, _, v in _entries(value))
    except ProtobufError:
        return True


def _store(found: Json, field: Field, wire: int, value: int | bytes) -> None:
    if field.shape == "map":
        key, item = _map_entry(field, _bytes(field, wire, value))
        found.setdefault(field.name, {})[key] = item
    elif field.shape == "list":
        found.setdefault(field.name, []).append(_value(field, wire, value))
    else:
        decoded = _value(field, wire, value)
        if not field.name:
            found.update(decoded)
        # Go writes zero values where JSON leaves the member out.
        elif decoded is not None and decoded != "" and not (field.name == "metadata" and not decoded):
            found[field.name] = decoded


def _value(field: Field, wire: int, value: int | bytes) -> Any:
    if field.type in ("int", "bool"):
        if not isinstance(value, int) or wire != 0:
            raise ProtobufError(f"proto: wrong wireType = {wire} for field {field.name}")
        return bool(value) if field.type == "bool" else value - (1 << 64) if value >= 1 << 63 else value
    data = _bytes(field, wire, value)
    if field.type not in _SCALARS:
        return _message(field.type, data)
    return _scalar(field.type, data)


def _scalar(kind: str, data: bytes) -> Any:
    if kind == "raw":
        return data
    if kind == "bytes":
        return base64.b64encode(data).decode()
    if kind in ("Time", "MicroTime"):
        return _time(data, micro=kind == "MicroTime")
    if kind == "FieldsV1":
        return _fields_v1(data)
    if kind == "Quantity":
        return next((_scalar("string", v) for n, _, v in _entries(data) if n == 1 and isinstance(v, bytes)), None)
    if kind == "IntOrString":
        parts = {number: value for number, _, value in _entries(data)}
        return _scalar("string", bytes(parts.get(3) or b"")) if parts.get(1) else parts.get(2, 0)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("proto: field contains invalid UTF-8") from error


def _fields_v1(data: bytes) -> Any:
    import orjson

    for number, _, value in _entries(data):
        if number == 1 and isinstance(value, bytes):
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError as error:
                raise ProtobufError(f"FieldsV1: {error}") from error
    return None


def _time(data: bytes, *, micro: bool) -> str | None:
    seconds = nanos = 0
    for number, _, value in _entries(data):
        if isinstance(value, int):
            signed = value - (1 << 64) if value >= 1 << 63 else value
            seconds, nanos = (signed, nanos) if number == 1 else (seconds, signed)
    # The zero time of Go (year 1) stands for "not set".
    if seconds <= -62135596800 or not data:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise ProtobufError(f"time out of range: {seconds}") from error
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if micro else f"{text}Z"


def _map_entry(field: Field, data: bytes) -> tuple[str, Any]:
    key, item = "", _scalar(field.type, b"")
    for number, _, value in _entries(data):
        if not isinstance(value, bytes):
            raise ProtobufError(f"proto: wrong wireType for field {field.name}")
        if number == 1:
            key = str(_scalar("string", value))
        elif number == 2:
            item = _scalar(field.type, value)
    return key, item


def _bytes(field: Field, wire: int, value: int | bytes) -> bytes:
    if not isinstance(value, bytes) or wire != 2:
        raise ProtobufError(f"proto: wrong wireType = {wire} for field {field.name}")
    return value


def _entries(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, wire, value
        else:
            size, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, -1), at)
            if size < 0 or number == 0:
                raise ProtobufError(f"proto: illegal tag {number} (wire type {wire})")
            if at + size > end:
                raise ProtobufError("unexpected EOF")
            yield number, wire, data[at : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
        shift += 7
        if shift > 63:
            raise ProtobufError("proto: integer overflow")
    raise ProtobufError("unexpected EOF")


def _tagged(number: int, data: bytes) -> bytes:
    return _packed(number << 3 | 2) + _packed(len(data)) + data


def _packed(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def supported() -> tuple[str, ...]:
    """The kinds that are read, as `apiVersion Kind`."""
    return tuple(sorted(k for k in (*_MESSAGES, *_STRICT) if " " in k))
