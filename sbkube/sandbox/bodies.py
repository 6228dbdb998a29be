"""Reading request bodies in the formats that API clients send."""

from __future__ import annotations

from typing import Any

import orjson

from sbkube.sandbox.status import StatusError, bad_request

JSON_TYPE = "application/json"
YAML_TYPE = "application/yaml"
PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf"
PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
LIMIT = 3 * 1024 * 1024


def too_large() -> StatusError:
    """413 for a body over 3 MiB."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LIMIT}", {})


def unknown_type(accepted: tuple[str, ...]) -> StatusError:
    """415."""
    return StatusError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted),
    )


def read_json(body: bytes) -> Any:
    """JSON. Raises StatusError 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"error decoding JSON: {error}") from None


def read_yaml(body: bytes) -> Any:
    """YAML (or JSON, which is tried first). Raises StatusError 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(body, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: yaml: {where}{problem}") from None


def read_object(content_type: str, body: bytes) -> Any:
    """The object of a create, update or delete. Raises StatusError 400 or 415."""
    kind = content_type.partition(";")[0].strip().lower() or JSON_TYPE
    if kind == JSON_TYPE:
        return read_json(body)
    if kind == YAML_TYPE:
        return read_yaml(body)
    if kind == PROTOBUF_TYPE:
        from sbkube.sandbox import protobuf

        try:
            return protobuf.decode(body)
        except protobuf.UnsupportedKind:
            raise unknown_type((JSON_TYPE, YAML_TYPE)) from None
        except protobuf.ProtobufError as error:
            raise bad_request(str(error)) from None
    raise unknown_type((JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE))


def read_patch(content_type: str, body: bytes, custom: bool) -> tuple[str, Any]:
    """The form of a patch and its document. Raises StatusError 400 or 415."""
    kind = content_type.partition(";")[0].strip().lower()
    how = PATCH_TYPES.get(kind)
    if how is None or (custom and how == "strategic"):
        if how is None:
            raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        raise unknown_type(tuple(t for t, h in PATCH_TYPES.items() if h != "strategic"))
    if how == "apply":
        return how, read_yaml(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    if isinstance(document, list) != (how == "json"):
        wanted = "[]map" if how == "json" else "map[string]interface {}"
        found = "array" if isinstance(document, list) else "object" if isinstance(document, dict) else "string"
        raise bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}")
    return how, document
