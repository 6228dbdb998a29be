"""Subresources and reviews that are not plain objects: scale, eviction, finalize, access reviews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api, copied
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.scale import scale
from sbkube.sandbox.selectors import selector_of
from sbkube.sandbox.status import StatusError, bad_request, server_error

Json = dict[str, Any]


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


def eviction(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Deletes the pod as the DeleteOptions in the Eviction say, unless a budget forbids it."""
    _check_budgets(api, api.get(target.kind, target.namespace, target.name))
    asked = Deletion.of((body or {}).get("deleteOptions") or {}, {"dryRun": "All"} if options.dry_run else {})
    api.delete(target.kind, target.namespace, target.name, asked)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _check_budgets(api: Api, pod: Json) -> None:
    """Refuses an eviction that a PodDisruptionBudget forbids (registry `core/pod/storage/eviction.go`)."""
    metadata, phase = pod["metadata"], (pod.get("status") or {}).get("phase")
    if phase in ("Pending", "Succeeded", "Failed") or metadata.get("deletionTimestamp"):
        return
    budgets = [b for _, b in api.store.items("poddisruptionbudgets.policy", metadata["namespace"])]
    found = [b for b in budgets if _covers(b, metadata.get("labels") or {})]
    if len(found) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise server_error(text)
    for budget in found:
        counts = budget.get("status") or {}
        if not counts.get("disruptionsAllowed"):
            error = StatusError(
                429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget."
            )
            text = (
                f"The disruption budget {budget['metadata']['name']} needs {counts.get('desiredHealthy', 0)} "
                f"healthy pods and has {counts.get('currentHealthy', 0)} currently"
            )
            error.details = {"causes": [{"reason": "DisruptionBudget", "message": text}]}
            raise error


def _covers(budget: Json, labels: dict[str, str]) -> bool:
    selector = selector_of((budget.get("spec") or {}).get("selector") or {})
    return selector is not None and selector.matches(labels)


def finalize(api: Api, target: Target, verb: str, how: str, body: Any, options: Options) -> Json:
    """Replaces a namespace's own finalizers; the namespace goes when none is left."""
    finalizers = (body.get("spec") or {}).get("finalizers") or []
    return finalized(api, target.kind, target.name, finalizers, dry_run=options.dry_run)


def finalized(api: Api, kind: Kind, name: str, finalizers: list[str], *, dry_run: bool = False) -> Json:
    """Sets `spec.finalizers` of a namespace, and drops it if it is terminating and none is left."""
    live = api.get(kind, "", name)
    new = copied(live)
    new["spec"] = {"finalizers": finalizers} if finalizers else {}
    if dry_run:
        return new
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


SPECIAL: dict[str, Callable[[Api, Target, str, str, Any, Options], Json]] = {
    "scale": scale,
    "eviction": eviction,
    "finalize": finalize,
    "token": token,
    "exec": unsupported,
    "attach": unsupported,
    "portforward": unsupported,
    "proxy": unsupported,
}
