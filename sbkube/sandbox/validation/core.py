"""ConfigMaps, Secrets, Services, claims, access rules, leases and network objects."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    objects,
    one_of,
    required,
    unsupported,
)
from sbkube.sandbox.validation.quantities import quantity_of

Json = dict[str, Any]
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_LOCKED = "field is immutable when `immutable` is set"
_RANGE = "must be between 1 and 65535, inclusive"
_SIZE_LIMIT = 1024 * 1024
_REDACTED = "<secret contents redacted>"


def _keys(path: str, value: Any) -> list[Cause]:
    found = []
    for key in value or {}:
        if len(key) > 253:
            found.append(invalid(f"{path}[{key}]", key, "must be no more than 253 characters"))
        elif key in (".", "..") or key.startswith(".."):
            found.append(
                invalid(
                    f"{path}[{key}]", key, f"must not be '{key}'" if len(key) < 3 else "must not start with '..'"
                )
            )
        elif not _KEY.fullmatch(key):
            found.append(invalid(f"{path}[{key}]", key, _KEY_TEXT))
    return found


def _locked(new: Json, old: Json | None, members: tuple[str, ...]) -> list[Cause]:
    if old is None or not old.get("immutable"):
        return []
    found = [] if new.get("immutable") else [forbidden("immutable", _LOCKED)]
    return found + [forbidden(m, _LOCKED) for m in members if (new.get(m) or {}) != (old.get(m) or {})]


def config_map(new: Json, old: Json | None) -> list[Cause]:
    """Keys, size and immutability."""
    found = _locked(new, old, ("data", "binaryData"))
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    found += _keys("data", data)
    text = "duplicate of key present in binaryData"
    found += [invalid(f"data[{k}]", k, text) for k in data if k in binary]
    found += _keys("binaryData", binary)
    size = sum(len(v.encode()) for v in data.values()) + sum(len(v) * 3 // 4 for v in binary.values())
    if size > _SIZE_LIMIT:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {_SIZE_LIMIT} bytes", ""))
    return found


_NEEDED: dict[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


def secret(new: Json, old: Json | None) -> list[Cause]:
    """Keys, size, type and immutability."""
    found: list[Cause] = []
    if old is not None:
        found += immutable("type", new.get("type"), old.get("type"))
        found += _locked(new, old, ("data",))
    data, kind = new.get("data") or {}, new.get("type")
    found += _keys("data", data)
    if sum(len(v or "") * 3 // 4 for v in data.values()) > _SIZE_LIMIT:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {_SIZE_LIMIT} bytes", "data"))
    found += [required(f"data[{k}]") for k in _NEEDED.get(str(kind), ()) if k not in data]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        found += [required("data[username]"), required("data[password]")]
    if kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"):
        found += _docker(data, _NEEDED[kind][0])
    names = (new["metadata"].get("annotations") or {}) if kind == "kubernetes.io/service-account-token" else None
    if names is not None and not names.get("kubernetes.io/service-account.name"):
        found.append(required("metadata.annotations[kubernetes.io/service-account.name]"))
    return found


def _docker(data: Json, key: str) -> list[Cause]:
    if key not in data:
        return []
    try:
        text = base64.b64decode(data[key] or "").decode()
        json.loads(text)
    except (ValueError, UnicodeDecodeError):
        stripped = base64.b64decode(data[key] or "").decode(errors="replace").lstrip()
        why = "unexpected end of JSON input"
        if stripped:
            why = f"invalid character '{stripped[0]}' looking for beginning of value"
        return [invalid(f"data[{key}]", _REDACTED, why)]
    return []


_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def service(new: Json, old: Json | None) -> list[Cause]:
    """Ports, type, and addresses that stay."""
    spec = new.get("spec") or {}
    kind = spec.get("type")
    found: list[Cause] = []
    headless = spec.get("clusterIP") == "None"
    ports = objects(spec.get("ports"))
    if not ports and not headless and kind != "ExternalName":
        found.append(required("spec.ports"))
    if kind == "LoadBalancer" and headless:
        found.append(invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"))
    if kind == "ExternalName" and not spec.get("externalName"):
        found.append(required("spec.externalName", "a lowercase RFC-1123 hostname is required for ExternalName"))
    found += one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    found += _service_ports(ports)
    if kind not in _SERVICE_TYPES:
        found.append(unsupported("spec.type", kind, _SERVICE_TYPES))
    if old is not None:
        found += _kept_addresses(spec, old["spec"])
    return found


def _service_ports(ports: list[Json]) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    seen: set[tuple[Any, Any]] = set()
    for at, port in enumerate(ports):
        path, name = f"spec.ports[{at}]", port.get("name") or ""
        if len(ports) > 1 and not name:
            found.append(required(f"{path}.name"))
        elif name in names and name:
            found.append(duplicate(f"{path}.name", name))
        names.add(name)
        for member in ("port", "targetPort"):
            number = port.get(member)
            if isinstance(number, int) and not 1 <= number <= 65535:
                found.append(invalid(f"{path}.{member}", number, _RANGE))
        found += one_of(f"{path}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            found.append(duplicate(path, {"protocol": key[0], "port": key[1]}))
        seen.add(key)
        node = port.get("nodePort")
        if node and not 30000 <= node <= 32767:
            text = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            found.append(invalid(f"{path}.nodePort", node, text))
    return found


def _kept_addresses(spec: Json, before: Json) -> list[Cause]:
    old, new = before.get("clusterIPs") or [], spec.get("clusterIPs") or []
    stays = before.get("type") != "ExternalName" and spec.get("type") != "ExternalName"
    if not stays or not old or not new or old[0] == new[0]:
        return []
    return [invalid("spec.clusterIPs[0]", new, "may not change once set")]


_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def claim(new: Json, old: Json | None) -> list[Cause]:
    """Access modes and size; afterwards only the size may grow."""
    spec = new.get("spec") or {}
    modes = spec.get("accessModes") or []
    found: list[Cause] = []
    if not modes:
        found.append(required("spec.accessModes", "at least 1 access mode is required"))
    found += [unsupported("spec.accessModes", m, _MODES) for m in modes if m not in _MODES]
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    size = quantity_of(storage)
    if storage is None:
        found.append(required("spec.resources[storage]"))
    elif size is not None and size <= 0:
        found.append(invalid("spec.resources[storage]", str(storage), "must be greater than zero"))
    return found + (_claim_update(new, old) if old is not None else [])


def _claim_update(new: Json, old: Json) -> list[Cause]:
    spec, before = new["spec"], old["spec"]
    bound = (old.get("status") or {}).get("phase") == "Bound"
    free = {"resources", "volumeAttributesClassName"} if bound else set()
    free |= set() if before.get("volumeName") else {"volumeName"}  # the binder sets it once
    kept = [k for k in spec.keys() | before.keys() if k not in free]
    if any(spec.get(k) != before.get(k) for k in kept):
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName "
            "for bound claims"
        )
        return [forbidden("spec", text)]
    now, asked = _requested(spec), _requested(before)
    least = quantity_of(((old.get("status") or {}).get("capacity") or {}).get("storage"))
    # A volume may be larger than was asked for; only asking for less is refused.
    if now is not None and asked is not None and now < asked and now <= (least or 0):
        return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]
    return []


def _requested(spec: Json) -> Any:
    return quantity_of(((spec.get("resources") or {}).get("requests") or {}).get("storage"))


def role(new: Json, old: Json | None) -> list[Cause]:
    """Rules of roles and cluster roles."""
    found: list[Cause] = []
    namespaced = new.get("kind") == "Role"
    for at, rule in enumerate(objects(new.get("rules"))):
        path = f"rules[{at}]"
        if not rule.get("verbs"):
            found.append(required(f"{path}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                found.append(invalid(f"{path}.nonResourceURLs", urls, text))
            if rule.get("apiGroups") or rule.get("resources"):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                found.append(invalid(f"{path}.nonResourceURLs", urls, text))
            continue
        if not rule.get("apiGroups"):
            found.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            found.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return found


_RBAC = "rbac.authorization.k8s.io"


def role_binding(new: Json, old: Json | None) -> list[Cause]:
    """Role and subjects; the role stays."""
    ref = new.get("roleRef") or {}
    found: list[Cause] = []
    if old is not None and ref != old.get("roleRef"):
        quoted = {"APIGroup": ref.get("apiGroup"), "Kind": ref.get("kind"), "Name": ref.get("name")}
        return [invalid("roleRef", quoted, "cannot change roleRef")]
    if ref.get("apiGroup") != _RBAC:
        found.append(unsupported("roleRef.apiGroup", ref.get("apiGroup"), (_RBAC,)))
    kinds = ("ClusterRole", "Role") if new.get("kind") == "RoleBinding" else ("ClusterRole",)
    if ref.get("kind") not in kinds:
        found.append(unsupported("roleRef.kind", ref.get("kind") or "", kinds))
    if not ref.get("name"):
        found.append(required("roleRef.name"))
    for at, subject in enumerate(objects(new.get("subjects"))):
        path = f"subjects[{at}]"
        if not subject.get("name"):
            found.append(required(f"{path}.name"))
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            found.append(required(f"{path}.namespace"))
        found += one_of(f"{path}.kind", subject.get("kind") or "", ("ServiceAccount", "User", "Group"))
    return found


def lease(new: Json, old: Json | None) -> list[Cause]:
    """Durations are positive."""
    spec = new.get("spec") or {}
    found: list[Cause] = []
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    turns = spec.get("leaseTransitions")
    if turns is not None and turns < 0:
        found.append(invalid("spec.leaseTransitions", turns, "must be greater than or equal to 0"))
    return found


_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def ingress(new: Json, old: Json | None) -> list[Cause]:
    """A rule or a default backend; paths with their type and service."""
    spec = new.get("spec") or {}
    found: list[Cause] = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        found.append(invalid("spec", [], "either `defaultBackend` or `rules` must be specified"))
    for at, rule in enumerate(objects(spec.get("rules"))):
        for number, path in enumerate(objects((rule.get("http") or {}).get("paths"))):
            found += _ingress_path(path, f"spec.rules[{at}].http.paths[{number}]")
    return found


def _ingress_path(path: Json, where: str) -> list[Cause]:
    found: list[Cause] = []
    kind = path.get("pathType")
    if kind is None:
        found.append(required(f"{where}.pathType", "pathType must be specified"))
    else:
        found += one_of(f"{where}.pathType", kind, _PATH_TYPES)
    text = path.get("path") or ""
    if kind in ("Exact", "Prefix") and not text.startswith("/"):
        found.append(invalid(f"{where}.path", text, "must be an absolute path"))
    backend = path.get("backend") or {}
    service = backend.get("service")
    if isinstance(service, dict):
        if not service.get("name"):
            found.append(required(f"{where}.backend.service.name"))
        port = service.get("port") or {}
        if not port.get("name") and not port.get("number"):
            found.append(required(f"{where}.backend", "port name or number is required"))
    return found
