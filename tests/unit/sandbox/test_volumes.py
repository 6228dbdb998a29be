"""Claims and volumes, as the binder and a provisioner treat them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sbkube.sandbox.inprocess import InProcess

Json = dict[str, Any]
CORE, SPACE = "/api/v1", "/api/v1/namespaces/default"
CLAIMS, VOLUMES = f"{SPACE}/persistentvolumeclaims", f"{CORE}/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


@pytest.fixture
def box() -> Iterator[InProcess]:
    with InProcess() as made:
        yield made


def send(box: InProcess, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> Json:
    answer = box.request(method, path, body, {"Content-Type": kind})
    assert answer.status < 300, answer.json()
    found: Json = answer.json()
    return found


def until(box: InProcess, path: str, holds: Callable[[Json | None], Any]) -> Json | None:
    """The object once it is so; None stands for one that is gone."""
    deadline = time.monotonic() + 20
    while True:
        answer = box.request("GET", path)
        found = answer.json() if answer.status == 200 else None
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def phase(name: str) -> Callable[[Json | None], bool]:
    return lambda obj: obj is not None and obj.get("status", {}).get("phase") == name


def gone(obj: Json | None) -> bool:
    return obj is None


def claim(name: str, storage_class: str | None = None, size: str = "1Gi", **more: Any) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **more}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": name}, "spec": spec}


def volume(name: str, size: str, **more: Any) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "hostPath": {"path": "/x"}, **more}
    return {"metadata": {"name": name}, "spec": spec}


def user(name: str, claimed: str) -> Json:
    mounts = [{"name": "data", "persistentVolumeClaim": {"claimName": claimed}}]
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": mounts}}


def test_a_claim_gets_the_default_class_and_a_volume_of_it(box: InProcess) -> None:
    made = send(box, "POST", CLAIMS, claim("data"))
    assert made["spec"]["storageClassName"] == "standard"
    assert made["status"] == {"phase": "Pending"}
    bound = until(box, f"{CLAIMS}/data", phase("Bound"))
    assert bound is not None and bound["status"]["capacity"] == {"storage": "1Gi"}
    found = until(box, f"{VOLUMES}/{bound['spec']['volumeName']}", phase("Bound"))
    assert found is not None
    assert found["spec"]["claimRef"]["uid"] == bound["metadata"]["uid"]
    assert found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    send(box, "DELETE", f"{CLAIMS}/data")
    until(box, f"{CLAIMS}/data", gone)
    until(box, f"{VOLUMES}/{bound['spec']['volumeName']}", gone)


def test_a_larger_request_makes_the_volume_larger(box: InProcess) -> None:
    send(box, "POST", CLAIMS, claim("data"))
    bound = until(box, f"{CLAIMS}/data", phase("Bound"))
    assert bound is not None
    patch: Json = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    send(box, "PATCH", f"{CLAIMS}/data", patch, "application/merge-patch+json")
    until(box, f"{CLAIMS}/data", lambda c: c is not None and c["status"]["capacity"]["storage"] == "5Gi")
    grown = send(box, "GET", f"{VOLUMES}/{bound['spec']['volumeName']}")
    assert grown["spec"]["capacity"] == {"storage": "5Gi"}
    patch = {"spec": {"volumeName": "other"}}
    answer = box.request("PATCH", f"{CLAIMS}/data", patch, {"Content-Type": "application/merge-patch+json"})
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid")


def test_the_smallest_volume_that_fits_is_taken_and_kept(box: InProcess) -> None:
    for name, size in (("tiny", "500Mi"), ("large", "10Gi"), ("right", "2Gi")):
        send(box, "POST", VOLUMES, volume(name, size))
        until(box, f"{VOLUMES}/{name}", phase("Available"))
    send(box, "POST", CLAIMS, claim("data", ""))
    bound = until(box, f"{CLAIMS}/data", phase("Bound"))
    assert bound is not None
    assert (bound["spec"]["volumeName"], bound["status"]["capacity"]["storage"]) == ("right", "2Gi")
    send(box, "DELETE", f"{CLAIMS}/data")
    until(box, f"{CLAIMS}/data", gone)
    until(box, f"{VOLUMES}/right", phase("Released"))
    send(box, "DELETE", f"{VOLUMES}/right")
    until(box, f"{VOLUMES}/right", gone)


def test_a_claim_without_class_waits_for_a_volume_made_by_hand(box: InProcess) -> None:
    send(box, "POST", CLAIMS, claim("data", ""))
    events = until(box, f"{SPACE}/events", lambda found: found is not None and found["items"])
    assert events is not None and events["items"][0]["reason"] == "FailedBinding"
    assert send(box, "GET", f"{CLAIMS}/data")["status"] == {"phase": "Pending"}
    send(box, "POST", VOLUMES, volume("late", "1Gi"))
    until(box, f"{CLAIMS}/data", phase("Bound"))


def test_a_class_may_wait_for_the_first_pod(box: InProcess) -> None:
    late = {
        "metadata": {"name": "late"},
        "provisioner": "x.example/y",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    send(box, "POST", CLASSES, late)
    send(box, "POST", CLAIMS, claim("data", "late"))
    until(box, f"{SPACE}/events", lambda found: found is not None and found["items"])
    assert send(box, "GET", f"{CLAIMS}/data")["status"] == {"phase": "Pending"}
    send(box, "POST", f"{SPACE}/pods", user("first", "data"))
    until(box, f"{CLAIMS}/data", phase("Bound"))


def test_a_class_that_is_not_there_is_bound_without_a_volume(box: InProcess) -> None:
    send(box, "POST", CLAIMS, claim("data", "of-another-cluster"))
    bound = until(box, f"{CLAIMS}/data", phase("Bound"))
    assert bound is not None and "volumeName" not in bound["spec"]


def test_a_claim_goes_after_the_pods_that_mount_it(box: InProcess) -> None:
    send(box, "POST", CLAIMS, claim("data"))
    until(box, f"{CLAIMS}/data", phase("Bound"))
    send(box, "POST", f"{SPACE}/pods", user("one", "data"))
    until(box, f"{SPACE}/pods/one", phase("Running"))
    send(box, "DELETE", f"{CLAIMS}/data")
    time.sleep(0.2)
    assert send(box, "GET", f"{CLAIMS}/data")["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    send(box, "DELETE", f"{SPACE}/pods/one")
    until(box, f"{CLAIMS}/data", gone)


def test_a_claim_that_shall_fail_stays_pending(box: InProcess) -> None:
    made = claim("data")
    made["metadata"]["annotations"] = {"sandbox.sbkube.dev/fail": "ProvisioningFailed"}
    send(box, "POST", CLAIMS, made)
    send(box, "POST", CLAIMS, claim("other"))
    until(box, f"{CLAIMS}/other", phase("Bound"))
    assert send(box, "GET", f"{CLAIMS}/data")["status"] == {"phase": "Pending"}


def test_a_namespace_with_mounted_claims_empties(box: InProcess) -> None:
    send(box, "POST", f"{CORE}/namespaces", {"metadata": {"name": "shop"}})
    shop = f"{CORE}/namespaces/shop"
    send(box, "POST", f"{shop}/persistentvolumeclaims", claim("data"))
    send(box, "POST", f"{shop}/pods", user("one", "data"))
    until(box, f"{shop}/pods/one", phase("Running"))
    send(box, "DELETE", shop)
    until(box, shop, gone)
    assert send(box, "GET", VOLUMES)["items"] == []


def test_what_a_cluster_has_from_the_start(box: InProcess) -> None:
    front = send(box, "GET", f"{SPACE}/services/kubernetes")
    assert front["spec"]["ports"][0]["port"] == 443
    assert send(box, "GET", f"{SPACE}/endpoints/kubernetes")["subsets"]
    slices = send(box, "GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    assert slices["endpoints"][0]["conditions"]["ready"]
    assert [c["metadata"]["name"] for c in send(box, "GET", CLASSES)["items"]] == ["standard"]


def test_endpoints_follow_the_pods_and_go_with_their_service(box: InProcess) -> None:
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    send(box, "POST", f"{SPACE}/services", service)
    pod = {
        "metadata": {"name": "p", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    send(box, "POST", f"{SPACE}/pods", pod)
    ready = until(
        box,
        f"{SPACE}/endpoints/web",
        lambda found: found is not None and "addresses" in (found.get("subsets") or [{}])[0],
    )
    assert ready is not None and ready["subsets"][0]["addresses"][0]["targetRef"]["name"] == "p"
    send(box, "DELETE", f"{SPACE}/pods/p")
    until(box, f"{SPACE}/endpoints/web", lambda found: found is not None and not found.get("subsets"))
    send(box, "DELETE", f"{SPACE}/services/web")
    until(box, f"{SPACE}/endpoints/web", gone)
