"""Subresources and reviews that are not plain objects: scale, log, eviction, finalize, access reviews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sbkube.sandbox import patches
from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api, copied
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.selectors import selector_text
from sbkube.sandbox.status import bad_request

Json = dict[str, Any]
LOG_ANNOTATION = "sandbox.sbkube.dev/log"


def deleted(kind: Kind, obj: Json) -> Json:
    """The Status of a deletion."""
    details = {"name": obj["metadata"]["name"], "kind": kind.plural, "uid": obj["metadata"]["uid"]}
    if kind.group:
        details["group"] = kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def review(kind: Kind, obj: Json) -> Json:
    """The answers to access and token reviews: the bearer may do everything."""
    out = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}, **obj}
    user = {"username": "sandbox-admin", "groups": ["system:masters", "system:authenticated"]}
    if kind.kind == "SelfSubjectRulesReview":
        rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        urls = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
        out["status"] = {"resourceRules": [rule], "nonResourceRules": urls, "incomplete": False}
    elif kind.kind == "SelfSubjectReview":
        out["status"] = {"userInfo": user}
    elif kind.kind == "TokenReview":
        out["status"] = {"authenticated": True, "user": user}
    else:
        out["status"] = {"allowed": True, "reason": "the sandbox allows everything"}
    return out


def _scale_of(obj: Json) -> Json:
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = spec.get("selector") or {}
    text = selector_text(selector if "matchLabels" in selector or "matchExpressions" in selector
                         else {"matchLabels": selector})  # fmt: skip
    text = "" if text == "<none>" else text
    replicas = spec.get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: metadata[k] for k in kept if k in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": status.get("replicas", 0), **({"selector": text} if text else {})},
    }


def scale(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Reads or writes the number of replicas."""
    live = api.get(target.kind, target.namespace, target.name)
    now = _scale_of(live)
    if verb == "get":
        return now
    wanted = body
    if how == "json":
        wanted = patches.json_patch(now, body)
    elif how:
        wanted = patches.merge_patch(now, body)
    if not isinstance(wanted, dict):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    new = copied(live)
    new["spec"]["replicas"] = (wanted.get("spec") or {}).get("replicas", 0)
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version:
        new["metadata"]["resourceVersion"] = version
    return _scale_of(api.update(target.kind, target.namespace, target.name, new, options))


def log(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> str:
    """The canned text of a pod's log."""
    pod = api.get(target.kind, target.namespace, target.name)
    annotations = pod["metadata"].get("annotations") or {}
    text: str = annotations.get(LOG_ANNOTATION, f"sandbox (simulated Kubernetes API): log of {target.name}\n")
    return text if text.endswith("\n") else text + "\n"


def eviction(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Deletes the pod."""
    api.delete(target.kind, target.namespace, target.name, Deletion(dry_run=options.dry_run))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def finalize(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Replaces a namespace's own finalizers; the namespace goes when none is left."""
    return finalized(api, target.kind, target.name, (body.get("spec") or {}).get("finalizers") or [])


def finalized(api: Api, kind: Kind, name: str, finalizers: list[str]) -> Json:
    """Sets `spec.finalizers` of a namespace, and drops it if it is terminating and none is left."""
    live = api.get(kind, "", name)
    new = copied(live)
    new["spec"] = {"finalizers": finalizers} if finalizers else {}
    if not finalizers and new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
        api.store.drop(kind.store_key, "", name)
        return new
    return api.store.put(kind.store_key, "", name, new)


def token(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """A token for a service account that nothing accepts."""
    api.get(target.kind, target.namespace, target.name)
    status = {"token": "sandbox", "expirationTimestamp": "2100-01-01T00:00:00Z"}
    return {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", **(body or {}), "status": status}


def unsupported(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Streaming subresources are not simulated."""
    raise bad_request("the sandbox does not simulate exec, attach, port-forward and proxy")


SPECIAL: dict[str, Callable[[Api, Target, str, str, Any, Options], Json | str]] = {
    "scale": scale,
    "log": log,
    "eviction": eviction,
    "finalize": finalize,
    "token": token,
    "exec": unsupported,
    "attach": unsupported,
    "portforward": unsupported,
    "proxy": unsupported,
}
