"""Which kinds exist and how they are addressed: the built-in ones and those that CRDs add."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUBRESOURCE_VERBS = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource; `group`, `version` are set only where its kind lives in another group (Scale).

    `paths`: where a custom resource keeps its replicas wanted, replicas present and selector.
    """

    name: str
    kind: str
    verbs: tuple[str, ...] = _SUBRESOURCE_VERBS
    group: str = ""
    version: str = ""
    paths: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One served kind in one version.

    `storage` is the (group, version, kind) that is kept: objects of all versions of a kind share `store_key`.
    `custom` marks kinds that a CRD made.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    storage: tuple[str, str, str] = ("", "", "")
    custom: bool = False

    @property
    def api_version(self) -> str:
        """`group/version`, or only the version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> tuple[str, str, str]:
        """(group, version, kind)."""
        return (self.group, self.version, self.kind)

    @property
    def resource(self) -> str:
        """The resource as messages name it: `deployments.apps`, or `configmaps` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """The kind as messages name it: `Deployment.apps`, or `ConfigMap` in the core group."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def store_key(self) -> str:
        """Under which name all versions of this kind keep their objects."""
        group = self.storage[0] if self.storage[2] else self.group
        return f"{self.plural}.{group}" if group else self.plural

    @property
    def storage_version_hash(self) -> str:
        """The hash that discovery shows (apiserver `discovery.StorageVersionHash`)."""
        group, version, kind = self.storage if self.storage[2] else self.gvk
        digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
        return base64.b64encode(digest[:8]).decode()

    def subresource(self, name: str) -> Subresource | None:
        """The subresource with this name, if served."""
        return next((s for s in self.subresources if s.name == name), None)


def status_of(kind: str) -> Subresource:
    """The `/status` of a kind."""
    return Subresource("status", kind)


SCALE = Subresource("scale", "Scale", group="autoscaling", version="v1")


def _k(group: str, version: str, kind: str, plural: str, options: str = "", **more: object) -> Kind:
    """A row of the table; `options`: `short=a/b`, `cat=all`, and the flags cluster, status, scale."""
    words = dict([*w.split("="), ""][:2] for w in options.split())
    subresources = list(more.get("subresources", ()))  # type: ignore[call-overload]
    if "scale" in words:
        subresources.append(SCALE)
    if "status" in words:
        subresources.append(status_of(kind))
    return Kind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced="cluster" not in words,
        short_names=tuple(filter(None, words.get("short", "").split("/"))),
        categories=tuple(filter(None, words.get("cat", "").split("/"))),
        verbs=more.get("verbs", ALL_VERBS),  # type: ignore[arg-type]
        subresources=tuple(sorted(subresources, key=lambda s: s.name)),
        storage=more.get("storage", ("", "", "")),  # type: ignore[arg-type]
    )


_ANY = ("create", "delete", "get", "patch", "update")
_POD_SUBRESOURCES = (
    Subresource("attach", "PodAttachOptions", ("create", "get")),
    Subresource("binding", "Binding", ("create",)),
    Subresource("ephemeralcontainers", "Pod"),
    Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    Subresource("exec", "PodExecOptions", ("create", "get")),
    Subresource("log", "Pod", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", ("create", "get")),
    Subresource("proxy", "PodProxyOptions", _ANY),
    Subresource("resize", "Pod"),
)
_CREATE = ("create",)
_RBAC, _NET, _STORAGE = "rbac.authorization.k8s.io", "networking.k8s.io", "storage.k8s.io"
_ADM, _AUTHZ, _AUTHN = "admissionregistration.k8s.io", "authorization.k8s.io", "authentication.k8s.io"
_NS_VERBS = tuple(v for v in ALL_VERBS if v != "deletecollection")

BUILTIN: tuple[Kind, ...] = (
    _k("", "v1", "Binding", "bindings", verbs=_CREATE),
    _k("", "v1", "ComponentStatus", "componentstatuses", "cluster short=cs", verbs=("get", "list")),
    _k("", "v1", "ConfigMap", "configmaps", "short=cm"),
    _k("", "v1", "Endpoints", "endpoints", "short=ep"),
    _k("", "v1", "Event", "events", "short=ev"),
    _k("", "v1", "LimitRange", "limitranges", "short=limits"),
    _k(
        "",
        "v1",
        "Namespace",
        "namespaces",
        "cluster short=ns status",
        verbs=_NS_VERBS,
        subresources=(Subresource("finalize", "Namespace", ("update",)),),
    ),
    _k(
        "",
        "v1",
        "Node",
        "nodes",
        "cluster short=no status",
        subresources=(Subresource("proxy", "NodeProxyOptions", _ANY),),
    ),
    _k("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "short=pvc status"),
    _k("", "v1", "PersistentVolume", "persistentvolumes", "cluster short=pv status"),
    _k("", "v1", "Pod", "pods", "short=po cat=all status", subresources=_POD_SUBRESOURCES),
    _k("", "v1", "PodTemplate", "podtemplates"),
    _k("", "v1", "ReplicationController", "replicationcontrollers", "short=rc cat=all status scale"),
    _k("", "v1", "ResourceQuota", "resourcequotas", "short=quota status"),
    _k("", "v1", "Secret", "secrets"),
    _k(
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        "short=sa",
        subresources=(Subresource("token", "TokenRequest", _CREATE, _AUTHN, "v1"),),
    ),
    _k(
        "",
        "v1",
        "Service",
        "services",
        "short=svc cat=all status",
        subresources=(Subresource("proxy", "ServiceProxyOptions", _ANY),),
    ),
    _k("apiregistration.k8s.io", "v1", "APIService", "apiservices", "cluster cat=api-extensions status"),
    _k("apps", "v1", "ControllerRevision", "controllerrevisions"),
    _k("apps", "v1", "DaemonSet", "daemonsets", "short=ds cat=all status"),
    _k("apps", "v1", "Deployment", "deployments", "short=deploy cat=all status scale"),
    _k("apps", "v1", "ReplicaSet", "replicasets", "short=rs cat=all status scale"),
    _k("apps", "v1", "StatefulSet", "statefulsets", "short=sts cat=all status scale"),
    _k("events.k8s.io", "v1", "Event", "events", "short=ev", storage=("", "v1", "Event")),
    _k(_AUTHN, "v1", "SelfSubjectReview", "selfsubjectreviews", "cluster", verbs=_CREATE),
    _k(_AUTHN, "v1", "TokenReview", "tokenreviews", "cluster", verbs=_CREATE),
    _k(_AUTHZ, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=_CREATE),
    _k(_AUTHZ, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "cluster", verbs=_CREATE),
    _k(_AUTHZ, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "cluster", verbs=_CREATE),
    _k(_AUTHZ, "v1", "SubjectAccessReview", "subjectaccessreviews", "cluster", verbs=_CREATE),
    _k("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "short=hpa cat=all status"),
    _k(
        "autoscaling",
        "v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "short=hpa cat=all status",
        storage=("autoscaling", "v2", "HorizontalPodAutoscaler"),
    ),
    _k("batch", "v1", "CronJob", "cronjobs", "short=cj cat=all status"),
    _k("batch", "v1", "Job", "jobs", "cat=all status"),
    _k(_NET, "v1", "Ingress", "ingresses", "short=ing status"),
    _k(_NET, "v1", "IPAddress", "ipaddresses", "cluster short=ip"),
    _k(_NET, "v1", "ServiceCIDR", "servicecidrs", "cluster status"),
    _k(_NET, "v1", "IngressClass", "ingressclasses", "cluster"),
    _k(_NET, "v1", "NetworkPolicy", "networkpolicies", "short=netpol"),
    _k("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "short=pdb status"),
    _k(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "cluster"),
    _k(_RBAC, "v1", "ClusterRole", "clusterroles", "cluster"),
    _k(_RBAC, "v1", "RoleBinding", "rolebindings"),
    _k(_RBAC, "v1", "Role", "roles"),
    _k(_STORAGE, "v1", "CSIDriver", "csidrivers", "cluster"),
    _k(_STORAGE, "v1", "CSINode", "csinodes", "cluster"),
    _k(_STORAGE, "v1", "CSIStorageCapacity", "csistoragecapacities"),
    _k(_STORAGE, "v1", "StorageClass", "storageclasses", "cluster short=sc"),
    _k(_STORAGE, "v1", "VolumeAttributesClass", "volumeattributesclasses", "cluster short=vac"),
    _k(_STORAGE, "v1", "VolumeAttachment", "volumeattachments", "cluster status"),
    _k(_ADM, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "cluster cat=api-extensions"),
    _k(
        _ADM, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "cluster cat=api-extensions status"
    ),
    _k(
        _ADM,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "cluster cat=api-extensions",
    ),
    _k(
        _ADM,
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "cluster cat=api-extensions",
    ),
    _k(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "cluster short=crd/crds cat=api-extensions status",
    ),
    _k("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "cluster short=pc"),
    _k("coordination.k8s.io", "v1", "Lease", "leases"),
    _k("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
)


class Registry:
    """All kinds served now. Lookups are by path (`by_path`) or by what an object says it is (`by_kind`)."""

    def __init__(self, kinds: tuple[Kind, ...] = BUILTIN) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        self.generation = 0
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Serves a kind from now on (again, if it was served)."""
        old = self._by_path.get((kind.group, kind.version, kind.plural))
        if old is not None:
            self._by_kind.pop((old.api_version, old.kind), None)
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_kind[kind.api_version, kind.kind] = kind
        self.generation += 1

    def remove(self, kind: Kind) -> None:
        """Stops serving a kind."""
        self._by_path.pop((kind.group, kind.version, kind.plural), None)
        self._by_kind.pop((kind.api_version, kind.kind), None)
        self.generation += 1

    def by_path(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind behind /apis/group/version/plural."""
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """The kind an object names in `apiVersion` and `kind`."""
        return self._by_kind.get((api_version, kind))

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._by_path.values()))
