"""Whatever is sent, the answer is an object or a Status, and a 500 only where the API server gives one too."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from sbkube.sandbox import requests
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.requests import Request
from sbkube.sandbox.routing import resolve
from sbkube.sandbox.status import StatusError

Json = dict[str, Any]
REQUESTS = int(os.environ.get("SBKUBE_FUZZ_REQUESTS", "10000"))
SEED = int(os.environ.get("SBKUBE_FUZZ_SEED", "7"))
# Answers with 500 that the API server gives as well.
REAL = ("failed to create typed patch object", "resourceVersion", "does not contain declared merge key",
        "failed to create manager for existing fields")  # fmt: skip

_POD: Json = {"containers": [{"name": "m", "image": "i", "ports": [{"containerPort": 80}],
                              "env": [{"name": "A", "value": "b"}]}]}  # fmt: skip
_TEMPLATE: Json = {"metadata": {"labels": {"a": "b"}}, "spec": _POD}
_TASK: Json = {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}
_WORK: Json = {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}
_SCHEMA: Json = {"type": "object", "properties": {
    "spec": {"type": "object", "properties": {
        "size": {"type": "integer"}, "replicas": {"type": "integer"},
        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                  "items": {"type": "object", "properties": {"name": {"type": "string"}}}}}},
    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
_SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}


def _definition(plural: str, kind: str) -> Json:
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": _SCALE},
               "schema": {"openAPIV3Schema": _SCHEMA}}  # fmt: skip
    spec = {
        "group": "e.com",
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": kind},
        "versions": [version],
    }
    return _made("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": spec}, f"{plural}.e.com")


def _made(api_version: str, kind: str, body: Json, name: str = "x") -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


_BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
SEEDS = (
    _made("v1", "ConfigMap", {"data": {"a": "b"}}),
    _made("v1", "Secret", {"stringData": {"a": "b"}}),
    _made("v1", "Service", {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "w"}]}}),
    _made("v1", "Pod", {"spec": _POD}),
    _made("v1", "Namespace", {}),
    _made("v1", "PersistentVolumeClaim", {"spec": {"accessModes": ["ReadWriteOnce"],
                                                  "resources": {"requests": {"storage": "1Gi"}}}}),
    _made("apps/v1", "Deployment", {"spec": {"replicas": 1, **_WORK}}),
    _made("apps/v1", "StatefulSet", {"spec": {"serviceName": "x", **_WORK}}),
    _made("apps/v1", "DaemonSet", {"spec": _WORK}),
    _made("batch/v1", "Job", {"spec": _TASK}),
    _made("batch/v1", "CronJob", {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": _TASK}}}),
    _made("networking.k8s.io/v1", "Ingress", {"spec": {"rules": [{"host": "a.b", "http": {
        "paths": [{"path": "/", "pathType": "Prefix", "backend": _BACKEND}]}}]}}),
    _made("rbac.authorization.k8s.io/v1", "Role", {"rules": [{"apiGroups": [""], "resources": ["pods"],
                                                              "verbs": ["get"]}]}),
    _made("policy/v1", "PodDisruptionBudget", {"spec": {"minAvailable": 1, "selector": _WORK["selector"]}}),
    _made("autoscaling/v1", "HorizontalPodAutoscaler", {"spec": {
        "maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
        "scaleTargetRef": {"kind": "Deployment", "name": "x"}}}),
    _made("e.com/v1", "Widget", {"spec": {"size": 1, "parts": [{"name": "a"}]}}),
    _definition("gadgets", "Gadget"),
)  # fmt: skip
ODD: tuple[Any, ...] = (None, 0, -1, 1.5, True, "", "x", "a b", "\0", "ü", [], {}, [None], [[]], [{}], {"": None},
                        {"a": {"b": []}}, ["x", "x"], "100Mi", "50%", "x" * 300,
                        [{"name": "x"}, {"name": "x"}])  # fmt: skip
MEMBERS = ("status", "spec", "metadata", "labels", "finalizers", "ownerReferences", "managedFields", "uid", "zzz",
           "deletionTimestamp", "generateName", "resourceVersion", "ports", "selector", "replicas", "$patch",
           "$retainKeys", "$setElementOrder/ports", "$deleteFromPrimitiveList/finalizers")  # fmt: skip
QUERY = {
    "dryRun": ("All", "x"), "fieldManager": ("m", "", "x" * 200), "force": ("true", "false"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "Q"), "labelSelector": ("a=b", "a in (b)", "a b", "!a", ","),
    "fieldSelector": ("metadata.name=x", "spec.x=1", "a", "="), "limit": ("1", "0", "-1", "x"),
    "continue": ("zz", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAwMCwic3RhcnQiOiJhL2IifQ"),
    "resourceVersion": ("0", "1", "999999", "x", "-1", "1005"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x"),
    "propagationPolicy": ("Foreground", "Orphan", "x"), "gracePeriodSeconds": ("0", "-1", "x"),
    "orphanDependents": ("true", "x"), "includeObject": ("None", "Object", "x"),
}  # fmt: skip
TYPES = ("application/json", "application/yaml", "application/apply-patch+yaml", "application/merge-patch+json",
         "application/json-patch+json", "application/strategic-merge-patch+json", "text/plain", "",
         "application/vnd.kubernetes.protobuf")  # fmt: skip
ACCEPT = ("application/json", "", "*/*", "text/csv", "application/json;as=Table;g=meta.k8s.io;v=v1", ";;,",
          "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "application/json;q=x")  # fmt: skip
VIEWS = ("status", "scale", "log", "eviction", "finalize", "token", "zzz", "exec")


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield (*path, key)
        yield from _places(child, (*path, key))


class Sender:
    """Makes up requests, always the same ones."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api, self._dice = api, random.Random(seed)

    def _odd(self) -> Any:
        return copy.deepcopy(self._dice.choice(ODD))

    def _changed(self, seed: Json) -> Json:
        out = copy.deepcopy(seed)
        for _ in range(self._dice.choice((0, 1, 1, 2, 3))):
            *steps, last = self._dice.choice(list(_places(out)) or [("x",)])
            place: Any = out
            for step in steps:
                place = place[step]
            fate = self._dice.random()
            if fate < 0.6 or not isinstance(place, dict):
                place[last] = self._odd()
            elif fate < 0.8:
                place[self._dice.choice(MEMBERS)] = self._odd()
            else:
                place.pop(last, None)
        return out

    def _steps(self, seed: Json) -> Any:
        places = ["/" + "/".join(map(str, p)) for p in _places(seed)]
        one = {"op": self._dice.choice(("add", "remove", "replace", "test", "move", "copy", "zz")),
               "path": self._dice.choice(places), "from": self._dice.choice(places),
               "value": self._odd()}  # fmt: skip
        return [one] if self._dice.random() < 0.9 else self._odd()

    def _options(self) -> Any:
        pick = self._dice.choice
        return {"propagationPolicy": pick(("Orphan", "x", None, 3)), "dryRun": pick((["All"], None, "All")),
                "preconditions": pick(({}, None, {"uid": "x"}, [])),
                "gracePeriodSeconds": pick((0, None, "x"))}  # fmt: skip

    def _path(self, kind: Kind, method: str) -> str:
        path = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
        if kind.namespaced:
            path += "/namespaces/" + self._dice.choice(("default",) * 9 + ("none",))
        path += "/" + kind.plural
        if method in ("PUT", "PATCH") or (method != "POST" and self._dice.random() < 0.6):
            path += "/" + self._dice.choice(("x", "x", "x", "y", "Bad_Name"))
            if method != "DELETE" and self._dice.random() < 0.3:
                path += "/" + self._dice.choice(VIEWS)
        return path

    def _body(self, method: str, content_type: str, seed: Json) -> bytes:
        made: Any = self._changed(seed)
        if content_type == "application/json-patch+json":
            made = self._steps(seed)
        elif method == "DELETE":
            made = self._options()
        data = orjson.dumps(made if self._dice.random() > 0.03 else self._odd())
        fate = self._dice.random()
        if fate < 0.05:
            return data[: self._dice.randrange(len(data) + 1)]
        if fate < 0.15:
            return self._damaged(data)
        return data

    def _damaged(self, data: bytes) -> bytes:
        """Some bytes are others: what is no JSON, no UTF-8, deeply nested, or a large number."""
        at = self._dice.randrange(len(data) + 1)
        piece = self._dice.choice(
            (b"\xff", b"\x00", b"\\ud800", b"1e400", b"[" * 300 + b"]" * 300, b'{"a":' * 300, b"9" * 30, b"&a *a",
             b"\n- ", b"\t", b"!!x ", b"k8s\x00\x0a\x0f", b"{", b"]", b'"', b",", b":")
        )  # fmt: skip
        return data[:at] + piece + data[at + self._dice.choice((0, 1, 3)) :]

    def request(self) -> Request | None:
        """One request; None when its path names nothing."""
        dice, seed = self._dice, self._dice.choice(SEEDS)
        kind = self._api.registry.by_kind(seed["apiVersion"], seed["kind"])
        assert kind is not None
        method = dice.choice(("POST", "POST", "PUT", "PATCH", "PATCH", "GET", "DELETE"))
        content_type = dice.choice(TYPES) if method == "PATCH" or dice.random() < 0.2 else TYPES[0]
        query = {name: dice.choice(values) for name, values in QUERY.items() if dice.random() < 0.1}
        if content_type.startswith("application/apply") and dice.random() < 0.9:
            query["fieldManager"] = "m"
        target = resolve(self._api.registry, self._path(kind, method))
        if target is None:
            return None
        accept = dice.choice(ACCEPT) if dice.random() < 0.3 else ACCEPT[0]
        return Request(
            target, method, query, accept, content_type, "fuzz/1", self._body(method, content_type, seed)
        )


def test_every_answer_is_an_object_or_a_status(api: Api, kind: Callable[[str, str], Kind]) -> None:
    api.create(kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", _definition("widgets", "Widget"))
    sender, done = Sender(api, SEED), 0
    for _ in range(REQUESTS):
        ask = sender.request()
        if ask is None:
            continue
        try:
            answer = requests.carry_out(api, ask)
            assert isinstance(answer.body, bytes) or orjson.dumps(answer.body)
            done += 1
        except StatusError as error:
            assert orjson.dumps(error.body())
            assert error.code != 500 or any(text in error.message for text in REAL), (ask, error.message)
    assert done > REQUESTS / 20
