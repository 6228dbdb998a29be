"""Whether client and server can talk: the media types of answers, and the kind of the object that was sent."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sbkube.sandbox.bodies import JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.status import bad_request, no_representation, not_acceptable

Json = dict[str, Any]
_SERVED = (JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE)
_ANY = ("*/*", "application/*")
_SHAPES = ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"


@lru_cache(maxsize=256)
def media_types(accept: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The media types of an Accept header with their parameters, the most wanted first."""
    found = []
    for part in accept.split(","):
        words = [w.strip() for w in part.split(";")]
        pairs = tuple((n.strip(), v.strip()) for n, _, v in (w.partition("=") for w in words[1:]))
        try:
            quality = float(dict(pairs).get("q", 1))
        except ValueError:
            quality = 0.0
        if words[0]:
            found.append((-quality, words[0].lower(), pairs))
    return tuple((name, pairs) for _, name, pairs in sorted(found, key=lambda f: f[0]))


@lru_cache(maxsize=256)
def accepted(accept: str) -> tuple[str, str]:
    """The media type (JSON or YAML) and form (`as=`) of the answer. Raises StatusError 406.

    A client that only takes protobuf is given JSON: every client of the API understands it.
    """
    types = media_types(accept)
    if not types:
        return JSON_TYPE, ""
    known = [(n, dict(p)) for n, p in types if n in _SERVED or n in _ANY]
    if not known:
        raise no_representation(_SERVED)
    for name, pairs in known:
        shape, group, version = pairs.get("as", ""), pairs.get("g", ""), pairs.get("v", "")
        if shape and (shape not in _SHAPES or group != "meta.k8s.io" or version not in ("v1", "v1beta1")):
            continue
        return (YAML_TYPE if name == YAML_TYPE else JSON_TYPE), shape
    raise not_acceptable(_SERVED)


def check_kind(registry: Registry, kind: Kind, obj: Json) -> None:
    """Refuses an object of another kind than the path's; what is not said is taken from the path.

    Raises StatusError 400.
    """
    version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if (version, name) == (kind.api_version, kind.kind):
        return
    if not isinstance(version, str) or not isinstance(name, str):
        wrong = "apiVersion" if not isinstance(version, str) else "kind"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; "
            f"json parse error: json: cannot unmarshal {_name(obj[wrong])} into Go struct field .{wrong} "
            "of type string"
        )
    if kind.custom and name == kind.kind:
        raise _other_version(version, kind)
    short = version.rpartition("/")[2]
    text = f'{name} in version "{short}" cannot be handled as a {kind.kind}: '
    found = registry.by_kind(version, name)
    if found is None or kind.custom:
        raise bad_request(text + f'no kind "{name}" is registered for version "{version}" in scheme "{_SCHEME}"')
    if (found.group, found.kind) == (kind.group, kind.kind):
        raise _other_version(version, kind)
    raise bad_request(text + conversion(found, kind))


def _other_version(version: str, kind: Kind) -> Exception:
    return bad_request(
        f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
    )


def not_registered(name: str, version: str) -> str:
    """What Go says of a kind that it does not know."""
    return f'no kind "{name}" is registered for version "{version}" in scheme "{_SCHEME}"'


def conversion(found: Kind, kind: Kind) -> str:
    """What Go says when it cannot make one kind from another."""
    package = kind.group.partition(".")[0] or "core"
    return f"converting ({found.version}.{found.kind}) to ({package}.{kind.kind}): unknown conversion"


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"
