"""Reading request bodies in the formats that API clients send."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import orjson

from sbkube.sandbox import gojson
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
_SHOWN = 30
_MOST_NODES = 4_000_000  # as many values as 3 MiB can hold and more
_SURROGATE = re.compile("[\ud800-\udfff]")
Json = dict[str, Any]


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


def _summary(body: bytes) -> str:
    """The body as messages quote it (apimachinery `serializer/codec_factory`, `summarizeData`)."""
    if not body:
        return "<empty>"
    start, more = body[:_SHOWN], " ..." if len(body) > _SHOWN else ""
    return (start.decode("utf-8", "replace") if body[:1] == b"{" else start.hex()) + more


def _json(body: bytes) -> Any:
    """JSON as Go reads it. Raises ValueError with Go's words."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _lenient(body)
    if body.count(b"{") + body.count(b"[") > gojson.DEEPEST:
        _check_depth(found)
    return found


def _check_depth(found: Any) -> None:
    if gojson.deeper_than(found, gojson.DEEPEST):
        raise ValueError("exceeded max depth")


def _lenient(body: bytes) -> Any:
    """What only Go reads: bytes that are not UTF-8, and halves of surrogate pairs, become U+FFFD."""
    problem = gojson.syntax_error(body)
    if problem:
        raise ValueError(problem)
    try:
        text = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
    except (ValueError, RecursionError):
        raise ValueError("exceeded max depth") from None
    try:
        return orjson.loads(_SURROGATE.sub("\ufffd", text))
    except orjson.JSONDecodeError:
        raise ValueError("json: cannot unmarshal number into Go value of type float64") from None


_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


def _json_object(body: bytes) -> Json:
    """A JSON object. Raises ValueError with Go's words."""
    try:
        found = _json(body)
    except ValueError as error:
        raise ValueError(f"couldn't get version/kind; json parse error: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        wrong = f"json: cannot unmarshal {_name(found)} into Go value of type {_META}"
        raise ValueError(f"couldn't get version/kind; json parse error: {wrong}")
    return found


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"


def _yaml(body: bytes) -> Any:
    """YAML (or JSON, which is tried first). Raises ValueError with go-yaml's words."""
    if body[:1] in b"{[":
        with contextlib.suppress(ValueError):
            return _json(body)
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(body, Loader=loader)
        _check_aliases(found)
        _check_depth(found)
        return orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = (mark.line if mark else 0) + isinstance(error, yaml.scanner.ScannerError)
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"yaml: {f'line {line}: ' if line else ''}{problem}") from None
    except RecursionError:
        raise ValueError("yaml: exceeded max depth") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"yaml: {error}") from None


def _check_aliases(found: Any) -> None:
    """Refuses documents that contain themselves, or are very much larger than their text. Raises ValueError."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        key = id(value)
        if key in open_:
            raise ValueError("anchor value contains itself")
        if key not in sizes:
            open_.add(key)
            sizes[key] = 1 + sum(map(size, value.values() if isinstance(value, dict) else value))
            open_.discard(key)
        return sizes[key]

    if size(found) > _MOST_NODES:
        raise ValueError("document contains excessive aliasing")


def read_object(content_type: str, body: bytes, wanted: str = "") -> Json:
    """The object of a create, update or delete; `wanted` is its kind for messages. Raises StatusError."""
    kind = content_type.partition(";")[0].strip().lower() or JSON_TYPE
    try:
        if kind == JSON_TYPE:
            return _json_object(body)
        if kind == YAML_TYPE:
            return _yaml_object(body)
    except ValueError as error:
        if not wanted:
            raise bad_request(str(error)) from None
        text = f"the object provided is unrecognized (must be of type {wanted}): {error} ({_summary(body)})"
        raise bad_request(text) from None
    if kind == PROTOBUF_TYPE:
        return _protobuf(body)
    raise unknown_type((JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE))


def _yaml_object(body: bytes) -> Json:
    found = _yaml(body)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(
            "couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal {_name(found)} into Go value of type {_META}"
        )
    return found


def _protobuf(body: bytes) -> Json:
    from sbkube.sandbox import protobuf

    try:
        return protobuf.decode(body)
    except protobuf.UnsupportedKind:
        raise unknown_type((JSON_TYPE, YAML_TYPE)) from None
    except protobuf.ProtobufError as error:
        raise bad_request(str(error)) from None


def twice(content_type: str, body: bytes, read: Json) -> list[str]:
    """The paths of members that the body has twice (only JSON is looked at)."""
    kind = content_type.partition(";")[0].strip().lower() or JSON_TYPE
    # A compact text without repeats comes back as long as it was: most clients write such, and are done here.
    if kind != JSON_TYPE or len(orjson.dumps(read)) == len(body):
        return []
    return gojson.duplicates(body)


def _applied(body: bytes) -> Any:
    try:
        found = _yaml(body)
    except ValueError as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
            f"json: cannot unmarshal {_name(found)} into Go value of type map[string]interface {{}}"
        )
    return found


def read_patch(content_type: str, body: bytes, custom: bool) -> tuple[str, Any]:
    """The form of a patch and its document. Raises StatusError 400 or 415."""
    kind = content_type.partition(";")[0].strip().lower()
    how = PATCH_TYPES.get(kind)
    if how is None or (custom and how == "strategic"):
        if how is None:
            raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        raise unknown_type(tuple(t for t, h in PATCH_TYPES.items() if h != "strategic"))
    if how == "apply":
        return how, _applied(body)
    try:
        document = _json(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    if isinstance(document, list) != (how == "json") or not isinstance(document, (dict, list)):
        wanted = "[]map" if how == "json" else "map[string]interface {}"
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {_name(document)} into Go value of type {wanted}"
        )
    return how, document


def read_json(body: bytes) -> Any:
    """JSON. Raises StatusError 400."""
    try:
        return _json(body)
    except ValueError as error:
        raise bad_request(f"error decoding JSON: {error}") from None


def as_yaml(obj: Any) -> bytes:
    """An answer as YAML, in the way Go's encoder quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Strings that would read as something else are in double quotes."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        plain: str = dumper.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
        quoted = plain != "tag:yaml.org,2002:str"
        style = "|" if "\n" in value else '"' if quoted else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    found: str = yaml.dump(obj, Dumper=Dumper, default_flow_style=False, sort_keys=True, width=1 << 20)
    return found.encode()
