"""The options of a request, from its query or its body: read as strictly as the API server reads them.

Sources: apimachinery `meta/v1/validation` and `meta/internalversion/validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.decode import plain
from sbkube.sandbox.status import Cause, StatusError, bad_request, invalid_options

Json = dict[str, Any]
_MANAGER_BYTES = 128
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan")
_MATCHES = ("Exact", "NotOlderThan", "")
_MATCH = "resourceVersionMatch"
_SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"


def forbidden(path: str, text: str) -> Cause:
    """A value that may not be there."""
    return Cause("FieldValueForbidden", f"Forbidden: {text}", path)


def _unsupported(path: str, value: Any, known: Sequence[str]) -> Cause:
    listed = ", ".join(orjson.dumps(k).decode() for k in known)
    text = f"Unsupported value: {orjson.dumps(value).decode()}: supported values: {listed}"
    return Cause("FieldValueNotSupported", text, path)


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """A yes-or-no value; None when it is not given (Go's `Convert_Slice_string_To_bool`)."""
    if name not in query:
        return None
    return query[name].lower() not in ("false", "0")


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number, 0 when it is not given. Raises StatusError 400."""
    try:
        return int(query.get(name) or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from None


def _manager(name: str) -> list[Cause]:
    if len(name.encode("utf-8", "replace")) > _MANAGER_BYTES:
        return [
            Cause("FieldValueTooLong", f"Too long: may not be more than {_MANAGER_BYTES} bytes", "fieldManager")
        ]
    found = []
    for at, char in enumerate(name):
        if not char.isprintable():
            text = f"invalid character U+{ord(char):04X} (at position {at})"
            quoted = orjson.dumps(name).decode()
            found.append(Cause("FieldValueInvalid", f"Invalid value: {quoted}: {text}", "fieldManager"))
    return found


def _write_causes(query: Mapping[str, str]) -> list[Cause]:
    found = _manager(query.get("fieldManager", ""))
    if query.get("dryRun", "All") not in ("All", ""):
        found.append(_unsupported("dryRun", [query["dryRun"]], ("All",)))
    if query.get("fieldValidation", "") not in _VALIDATIONS:
        found.append(_unsupported("fieldValidation", query["fieldValidation"], _VALIDATIONS))
    return found


def writing(verb: str, query: Mapping[str, str], agent: str, applies: bool = False) -> Options:
    """The options of a create, update or patch. Raises StatusError 422 for values the server does not know."""
    found: list[Cause] = []
    if verb == "patch" and not applies and "force" in query:
        found.append(forbidden("force", "may not be specified for non-apply patch"))
    if applies and not query.get("fieldManager"):
        found.append(Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager"))
    found += _write_causes(query)
    if found:
        raise invalid_options(f"{verb.capitalize()}Options", found)
    return Options(
        manager=(query.get("fieldManager") or agent.partition("/")[0] or "unknown")[:_MANAGER_BYTES],
        dry_run=bool(query.get("dryRun")),
        force=bool(flag(query, "force")),
        validation=query.get("fieldValidation") or "Warn",
    )


def deleting(body: Any, query: Mapping[str, str]) -> Deletion:
    """The options of a deletion. Raises StatusError 400 for another object, 422 for values nobody knows."""
    body = body if isinstance(body, dict) else {}
    kind = body.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        version = body.get("apiVersion") or "v1"
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"')
    body = plain("DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", body)
    number(query, "gracePeriodSeconds")
    how = Deletion.of(body, query)
    found = []
    orphan = body.get("orphanDependents", flag(query, "orphanDependents"))
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    if orphan is not None and policy:
        text = "orphanDependents and deletionPropagation cannot be both set"
        cause = Cause("FieldValueInvalid", f'Invalid value: "{policy}": {text}', "propagationPolicy")
        raise invalid_options("DeleteOptions", [cause])
    if policy and policy not in _POLICIES:
        found.append(_unsupported("propagationPolicy", policy, (*_POLICIES, "nil")))
    dry = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if dry not in ([], ["All"]):
        found.append(_unsupported("dryRun", dry, ("All",)))
    if found:
        raise invalid_options("DeleteOptions", found)
    return how


def check_listing(query: Mapping[str, str], watching: bool) -> None:
    """Refuses options of a list or watch that do not go together. Raises StatusError 422."""
    found = _watch_causes(query) if watching else _list_causes(query)
    if found:
        raise invalid_options("ListOptions", found)


def _list_causes(query: Mapping[str, str]) -> list[Cause]:
    found = []
    match, version = query.get(_MATCH, ""), query.get("resourceVersion", "")
    if match:
        if not version:
            found.append(forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided"))
        if query.get("continue"):
            found.append(forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
        if match not in _MATCHES:
            found.append(_unsupported(_MATCH, match, _MATCHES))
        if match == "Exact" and version == "0":
            found.append(forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in query:
        found.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return found


def _watch_causes(query: Mapping[str, str]) -> list[Cause]:
    found = []
    match = query.get(_MATCH, "")
    initial = "sendInitialEvents" in query
    if initial and match != "NotOlderThan":
        found.append(forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to NotOlderThan"))
    if match:
        if not initial:
            found.append(
                forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided")
            )
        if match != "NotOlderThan":
            found.append(_unsupported(_MATCH, match, ("NotOlderThan",)))
        if query.get("continue"):
            found.append(forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    return found


def version(query: Mapping[str, str]) -> int | None:
    """The resource version of a list or watch; None when none is asked for. Raises StatusError 500."""
    text = query.get("resourceVersion", "")
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    raise StatusError(500, "", message)
