"""Names, labels, annotations, finalizers and owners (`apimachinery/pkg/api/validation/objectmeta.go`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import (
    LABEL,
    dns_label,
    forbidden,
    invalid,
    required,
    shown,
    subdomain,
)

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_ANNOTATIONS_LIMIT = 256 * 1024
_UNQUALIFIED = re.compile(r"[^/%]+")

_NAMES: dict[tuple[str, str], Callable[[str, str], list[Cause]]] = {
    ("", "Namespace"): dns_label,
    ("", "Service"): dns_label,
}
_PATH_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def metadata(kind: Kind, meta: Json, old: Json | None) -> list[Cause]:
    """All that is wrong with an object's metadata; `old` is the stored metadata on updates."""
    found = [] if old is not None else _name(kind, meta)
    found += labels("metadata.labels", meta.get("labels"))
    found += _annotations(meta.get("annotations"))
    found += _finalizers(meta.get("finalizers"), old)
    found += _owners(meta.get("ownerReferences"))
    return found


def _name(kind: Kind, meta: Json) -> list[Cause]:
    name = meta.get("name")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if kind.group == "rbac.authorization.k8s.io" and kind.kind in _PATH_NAMES:
        return path_name("metadata.name", name)
    return _NAMES.get((kind.group, kind.kind), subdomain)("metadata.name", name)


def path_name(path: str, name: str) -> list[Cause]:
    """A name that may stand as one segment of a path."""
    if name in (".", ".."):
        return [invalid(path, name, f"may not be '{name}'")]
    return [invalid(path, name, f"may not contain '{c}'") for c in "/%" if c in name]


def qualified_name(path: str, key: str) -> list[Cause]:
    """A key of labels or annotations: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    found: list[Cause] = []
    if slash and not prefix:
        found.append(invalid(path, key, "prefix part must be non-empty"))
    elif slash:
        found += [
            Cause(
                c.reason,
                f"Invalid value: {shown(key)}: prefix part {c.message.partition(': ')[2].partition(': ')[2]}",
                path,
            )
            for c in subdomain(path, prefix)
        ]
    if not name:
        found.append(invalid(path, key, "name part must be non-empty"))
    elif len(name) > 63:
        found.append(invalid(path, key, "name part must be no more than 63 characters"))
    if not _QUALIFIED.fullmatch(name):
        found.append(invalid(path, key, _QUALIFIED_TEXT))
    return found


def labels(path: str, value: Any) -> list[Cause]:
    """Keys and values of labels."""
    found: list[Cause] = []
    for key, text in (value or {}).items():
        found += qualified_name(path, key)
        if len(str(text)) > 63:
            found.append(invalid(path, text, "must be no more than 63 characters"))
        if not _VALUE.fullmatch(str(text)):
            found.append(invalid(path, text, _VALUE_TEXT))
    return found


def _annotations(value: Any) -> list[Cause]:
    found: list[Cause] = []
    size = 0
    for key, text in (value or {}).items():
        # Annotations may have upper case prefixes, which labels may not.
        prefix, slash, name = key.rpartition("/")
        found += [
            Cause(c.reason, c.message.replace(shown(prefix.lower() + slash + name), shown(key)), c.field)
            for c in qualified_name("metadata.annotations", prefix.lower() + slash + name)
        ]
        size += len(key) + len(str(text))
    if size > _ANNOTATIONS_LIMIT:
        text = f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        found.append(Cause("FieldValueTooLong", text, "metadata.annotations"))
    return found


def _finalizers(value: Any, old: Json | None) -> list[Cause]:
    found: list[Cause] = []
    for at, name in enumerate(value or ()):
        path = f"metadata.finalizers[{at}]"
        found += qualified_name(path, name)
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            found.append(
                invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")
            )
    if old is not None and old.get("deletionTimestamp"):
        new = [f for f in value or () if f not in (old.get("finalizers") or ())]
        if new:
            listed = ", ".join(shown(f) for f in sorted(new))
            text = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}"
            )
            # The server checks metadata twice on updates and reports this twice.
            found += [forbidden("metadata.finalizers", text)] * 2
    return found


def _owners(value: Any) -> list[Cause]:
    found: list[Cause] = []
    controllers = 0
    for reference in value or ():
        for name in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(name):
                text = "version must not be empty" if name == "apiVersion" else "must not be empty"
                path = f"metadata.ownerReferences.{name}"
                found.append(invalid(path, reference.get(name, ""), text))
        controllers += bool(reference.get("controller"))
    if controllers > 1:
        names = [r.get("name", "") for r in value if r.get("controller")]
        text = (
            "Only one reference can have Controller set to true. Found "
            f'"true" in references for {names[0]} and {names[1]}'
        )
        found.append(
            Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {text}", "metadata.ownerReferences")
        )
    return found


def label_name(path: str, value: str) -> list[Cause]:
    """A container's or port's name."""
    return dns_label(path, value) if not LABEL.fullmatch(value) or len(value) > 63 else []
