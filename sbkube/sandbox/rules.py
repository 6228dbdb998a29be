"""What differs between kinds when they are written: generations, status, deletion, and the checks in front."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sbkube.sandbox import admission as _admission
from sbkube.sandbox import crds, lookups, partial, typed
from sbkube.sandbox import defaults as _defaults
from sbkube.sandbox import validate as _validate
from sbkube.sandbox.access import Deletion
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.negotiation import conversion, not_registered
from sbkube.sandbox.patches import PatchError
from sbkube.sandbox.schema import type_of
from sbkube.sandbox.status import (
    Cause,
    StatusError,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_resource,
    precondition,
)
from sbkube.sandbox.zeros import zero_status

if TYPE_CHECKING:
    from sbkube.sandbox.api import Api

Json = dict[str, Any]
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_GENERATIONS = {
    ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("apps", "DaemonSet"),
    ("batch", "Job"), ("batch", "CronJob"), ("", "ReplicationController"), ("", "Pod"),
    ("networking.k8s.io", "Ingress"), ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"), ("policy", "PodDisruptionBudget"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"), ("scheduling.k8s.io", "PriorityClass"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("discovery.k8s.io", "EndpointSlice"),
}  # fmt: skip

_CONDITIONAL_GROUPS = {"policy", "coordination.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
                       "admissionregistration.k8s.io"}  # fmt: skip
_CREATED_BY_UPDATE = {("coordination.k8s.io", "Lease"), ("", "Endpoints"), ("", "Event"), ("", "Service")}

# Kinds whose deletion changes nothing but the time: their strategies start it themselves.
_IMMORTAL = {"default", "kube-system", "kube-public"}
WITHOUT_GRACE = {"namespaces", "customresourcedefinitions.apiextensions.k8s.io"}

__all__ = ["zero_status"]


def random_suffix() -> str:
    """Five characters as `generateName` appends them."""
    return "".join(secrets.choice(_SUFFIX) for _ in range(5))


def required(path: str, detail: str = "") -> Cause:
    """A missing field."""
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)


def has_generation(kind: Kind) -> bool:
    """Whether objects of this kind count their generations."""
    return kind.custom or (kind.group, kind.kind) in _GENERATIONS


def may_create_on_update(kind: Kind) -> bool:
    """Whether an update of a missing object creates it (`AllowCreateOnUpdate`)."""
    return kind.group == "rbac.authorization.k8s.io" or (kind.group, kind.kind) in _CREATED_BY_UPDATE


def _unbound(obj: Json) -> Json:
    """A pod as it was before the scheduler gave it a node, which makes no new generation."""
    return {**obj, "spec": {k: v for k, v in (obj.get("spec") or {}).items() if k != "nodeName"}}


def is_new_generation(kind: Kind, old: Json, new: Json) -> bool:
    """Whether the desired state differs."""
    skipped = {"metadata", "apiVersion", "kind"}
    if (kind.group, kind.kind) == ("", "Pod"):
        old, new = _unbound(old), _unbound(new)
    if kind.subresource("status"):
        skipped.add("status")
    return any(old.get(k) != new.get(k) for k in (old.keys() | new.keys()) - skipped)


def reset_fields(kind: Kind, subresource: str) -> tuple[tuple[str, ...], ...]:
    """Paths that a write through this endpoint cannot own."""
    if not kind.subresource("status"):
        return ()
    if subresource == "status":
        if _keeps_metadata(kind):
            return (("f:spec",), ("f:metadata",))
        return (("f:spec",), ("f:metadata", "f:labels")) if kind.kind == "Deployment" else (("f:spec",),)
    return (("f:status",),)


def _keeps_metadata(kind: Kind) -> bool:
    """Whether a write of the status leaves all metadata alone (`ResetObjectMetaForStatus`)."""
    return kind.custom or kind.group in ("apiextensions.k8s.io", "apiregistration.k8s.io")


def separate(kind: Kind, live: Json, new: Json, subresource: str) -> None:
    """Keeps the half of the object that this endpoint does not write."""
    if subresource == "status":
        kept = {k: v for k, v in live.items() if k not in ("status", "metadata")}
        status = new.get("status")
        for key in set(new) - {"metadata"}:
            del new[key]
        new.update(kept)
        if status is not None:
            new["status"] = status
        source = live["metadata"]
        names: tuple[str, ...] = ("labels",) if kind.kind == "Deployment" else ()
        names = ("labels", "annotations", "finalizers", "ownerReferences") if _keeps_metadata(kind) else names
        for name in names:
            new["metadata"].pop(name, None)
            if name in source:
                new["metadata"][name] = source[name]
    elif subresource in partial.UPDATES:
        wanted = new.get("spec") or {}
        spec = partial.UPDATES[subresource].merge(live["spec"], wanted)
        new.update({k: v for k, v in live.items() if k != "metadata"}, spec=spec)
    elif kind.subresource("status"):
        new.pop("status", None)
        if "status" in live:
            new["status"] = live["status"]


def defaults(api: Api, kind: Kind, obj: Json) -> None:
    """Fills in defaults."""
    if kind.custom:
        crds.apply_defaults(kind, obj)
    else:
        _defaults.apply_defaults(kind, obj)


def admit(api: Api, kind: Kind, new: Json, old: Json | None) -> None:
    """What admission and allocation add."""
    if not kind.custom:
        _admission.admit(kind, new, old, lambda: [o for _, o in api.store.items("services")])
        if old is None:
            lookups.name_default(kind, new, api.store)
            if (kind.group, kind.kind) == ("", "Pod"):
                lookups.admit_pod(kind, new, api.store)


def prepare(api: Api, kind: Kind, new: Json, old: Json | None) -> None:
    """What the storage adds after the fields' owners are recorded: addresses, generated selectors."""
    if kind.group == "rbac.authorization.k8s.io" and new.get("rules") == []:
        # Who writes an empty list owns it; what is kept and shown is null.
        new["rules"] = None
    if not kind.custom:
        _admission.prepare(kind, new, old, lambda: [o for _, o in api.store.items("services")])


def validate(api: Api, kind: Kind, new: Json, old: Json | None, subresource: str = "") -> list[Cause]:
    """All that is wrong with an object that was written through this endpoint."""
    if subresource in partial.UPDATES and old is not None:
        return partial.UPDATES[subresource].check(new, old)
    if not new["metadata"].get("name"):
        return [required("metadata.name", "name or generateName is required")]
    return _validate.validate(kind, new, old)


def check_apply(kind: Kind, namespace: str, name: str, body: Any) -> None:
    """Refuses an applied object that is of another kind or object, or does not fit the schema."""
    version, what = body.get("apiVersion") or "", body.get("kind") or ""
    if (version, what) != (kind.api_version, kind.kind):
        group, _, short = str(version).rpartition("/")
        raise bad_request(f"invalid object type: {group}/{short}, Kind={what}")
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    sent = metadata.get("name") or name
    if sent != name:
        raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
    wrong = typed.problems(type_of(kind), body)
    if wrong:
        where = f"{metadata.get('namespace', '')}/{sent}; {kind.group}/{kind.version}, Kind={kind.kind}"
        raise StatusError(500, "", f"failed to create typed patch object ({where}): {wrong}")


def patch_failed(error: PatchError) -> StatusError:
    """The refusal of a patch that cannot be carried out; what fails in a JSON patch is not told."""
    if error.code == 422:
        text = "the server rejected our request due to an error in our request"
        return StatusError(422, "Invalid", text, {})
    reason = {400: "BadRequest", 413: "RequestEntityTooLarge"}.get(error.code, "")
    return StatusError(error.code, reason, str(error))


def other_kind(registry: Registry, kind: Kind, new: Json) -> str:
    """Why the result of a patch is no longer of its kind; "" when it is."""
    version, name = new.get("apiVersion"), new.get("kind")
    if (version, name) == (kind.api_version, kind.kind):
        return ""
    found = registry.by_kind(str(version), str(name))
    if found is not None and not kind.custom:
        return conversion(found, kind)
    return not_registered(str(name), str(version))


def check_uid(kind: Kind, live: Json, new: Json) -> None:
    """Refuses a patch that changes the uid (the server checks metadata twice and says so twice)."""
    sent = (new.get("metadata") or {}).get("uid")
    if sent and sent != live["metadata"]["uid"]:
        cause = Cause("FieldValueInvalid", f'Invalid value: "{sent}": field is immutable', "metadata.uid")
        raise invalid(kind, live["metadata"]["name"], [cause, cause])


def other_uid(kind: Kind, live: Json, sent: str) -> StatusError:
    """409 of an update that names another object by its uid, as the storage says it."""
    metadata = live["metadata"]
    place = f"{kind.group}/{kind.plural}" if kind.custom else kind.plural
    place = {"services": "services/specs", "nodes": "minions"}.get(place, place)
    parts = ("/registry", place, metadata.get("namespace", ""), metadata["name"])
    return conflict(
        kind,
        metadata["name"],
        f"StorageError: invalid object, Code: 4, Key: {'/'.join(p for p in parts if p)}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {sent}, "
        f"UID in object meta: {metadata['uid']}",
    )


def needs_version(kind: Kind) -> bool:
    """Whether updates have to name the version they change (no `AllowUnconditionalUpdate`)."""
    return kind.custom or kind.group in _CONDITIONAL_GROUPS


def no_version(kind: Kind, name: str) -> StatusError:
    """422 of an update that has to name a version and does not."""
    text = "Invalid value: 0: must be specified for an update"
    return invalid_resource(kind, name, [Cause("FieldValueInvalid", text, "metadata.resourceVersion")])


def check_preconditions(kind: Kind, live: Json, how: Deletion) -> None:
    """Refuses a deletion whose preconditions do not hold, and that of a namespace which has to stay."""
    metadata = live["metadata"]
    if kind.store_key == "namespaces" and metadata["name"] in _IMMORTAL:
        raise forbidden(kind, metadata["name"], "this namespace may not be deleted")
    if how.uid and how.uid != metadata["uid"]:
        raise precondition(
            kind,
            metadata["name"],
            f"the UID in the precondition ({how.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated",
        )
    if how.resource_version and how.resource_version != metadata["resourceVersion"]:
        raise precondition(
            kind,
            metadata["name"],
            f"the ResourceVersion in the precondition ({how.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have been modified",
        )


def finalizers_for(kind: Kind, present: list[str], how: Deletion) -> list[str]:
    """The finalizers a deleted object has to wait for."""
    kept = [f for f in present if f not in ("orphan", "foregroundDeletion")]
    if kind.kind == "CustomResourceDefinition" and CLEANUP not in kept:
        # Its objects go first (`apiextensions` registry and finalizing controller).
        present = kept = [*kept, CLEANUP]
    if how.propagation == "Orphan":
        return [*kept, "orphan"]
    if how.propagation == "Foreground":
        return [*kept, "foregroundDeletion"]
    return kept if how.propagation else present


def grace(kind: Kind, live: Json, how: Deletion) -> int:
    """For how many seconds a deleted object stays: only pods that run somewhere do."""
    if (kind.group, kind.kind) != ("", "Pod"):
        return 0
    spec = live.get("spec", {})
    if not spec.get("nodeName") or live.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return how.grace if how.grace is not None else int(spec.get("terminationGracePeriodSeconds") or 30)


def holds(kind: Kind, obj: Json) -> bool:
    """Whether the object's own finalizers (a namespace's `spec.finalizers`) keep it."""
    return kind.store_key == "namespaces" and bool(obj.get("spec", {}).get("finalizers"))


def terminating(kind: Kind, obj: Json) -> None:
    """What a started deletion changes in the object itself."""
    if kind.store_key == "namespaces":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
