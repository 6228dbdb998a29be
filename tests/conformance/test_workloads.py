"""Workloads: what becomes ready, rolls over, ends or fails, where somebody runs pods."""

from __future__ import annotations

import pytest
from conformance.objects import deployment, names, service
from conformance.talk import Answer, Api, Json, refusal

FAIL = "sandbox.sbkube.dev/fail"


def ready(count: int) -> object:
    return lambda answer: answer.status == 200 and answer.body["status"].get("readyReplicas", 0) == count


def condition(body: Json, kind: str) -> str:
    found = body.get("status", {}).get("conditions") or ()
    return next((str(c["status"]) for c in found if c["type"] == kind), "")


def job(name: str, fail: str = "", **spec: object) -> Json:
    template: Json = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "registry.example/m:1"}]}
    }
    if fail:
        template["metadata"] = {"annotations": {FAIL: fail}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }


def test_a_deployment_becomes_ready(kubelet: Api, apps: str) -> None:
    kubelet.post(f"{apps}/deployments", deployment("web", replicas=2)).ok()
    found = kubelet.until(f"{apps}/deployments/web", ready(2))  # type: ignore[arg-type]
    status = found["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (2, 2, 2)
    assert status["observedGeneration"] == found["metadata"]["generation"] == 1
    assert (condition(found, "Available"), condition(found, "Progressing")) == ("True", "True")


def test_its_pods_belong_to_a_replica_set_that_belongs_to_it(kubelet: Api, apps: str, space: str) -> None:
    made = kubelet.post(f"{apps}/deployments", deployment("web")).ok()
    kubelet.until(f"{apps}/deployments/web", ready(1))  # type: ignore[arg-type]
    (owner,) = kubelet.get(f"{apps}/replicasets").ok()["items"]
    (pod,) = kubelet.get(f"/api/v1/namespaces/{space}/pods").ok()["items"]
    assert owner["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    hashed = owner["metadata"]["labels"]["pod-template-hash"]
    assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": hashed}
    assert owner["metadata"]["name"] == f"web-{hashed}"


def test_a_new_template_rolls_over(kubelet: Api, apps: str) -> None:
    kubelet.post(f"{apps}/deployments", deployment("web")).ok()
    kubelet.until(f"{apps}/deployments/web", ready(1))  # type: ignore[arg-type]
    containers = [{"name": "main", "image": "registry.example/main:2"}]
    kubelet.patch(f"{apps}/deployments/web", {"spec": {"template": {"spec": {"containers": containers}}}}).ok()

    def over(answer: Answer) -> bool:
        sets = {s["spec"]["template"]["spec"]["containers"][0]["image"]: s for s in answer.body["items"]}
        new = sets.get("registry.example/main:2", {"status": {}})
        return new["status"].get("readyReplicas") == 1 and sets["registry.example/main:1"]["spec"]["replicas"] == 0

    sets = kubelet.until(f"{apps}/replicasets", over)["items"]
    revisions = {s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for s in sets}
    assert revisions == {"1", "2"}


def test_scaling_down_removes_pods(kubelet: Api, apps: str, space: str) -> None:
    kubelet.post(f"{apps}/deployments", deployment("web", replicas=3)).ok()
    kubelet.until(f"{apps}/deployments/web", ready(3))  # type: ignore[arg-type]
    kubelet.patch(f"{apps}/deployments/web/scale", {"spec": {"replicas": 1}}).ok()
    kubelet.until(f"/api/v1/namespaces/{space}/pods", lambda a: len(a.body["items"]) == 1)
    kubelet.until(f"{apps}/deployments/web", lambda a: a.body["status"].get("replicas") == 1)


def test_a_stateful_set_numbers_its_pods(kubelet: Api, apps: str, space: str) -> None:
    body = deployment("db", replicas=2)
    body.update(kind="StatefulSet")
    body["spec"]["serviceName"] = "db"
    kubelet.post(f"{apps}/statefulsets", body).ok()
    kubelet.until(f"{apps}/statefulsets/db", ready(2))  # type: ignore[arg-type]
    assert names(kubelet.get(f"/api/v1/namespaces/{space}/pods").ok()) == ["db-0", "db-1"]


def test_a_job_completes(kubelet: Api, space: str) -> None:
    path = f"/apis/batch/v1/namespaces/{space}/jobs"
    kubelet.post(path, job("once", completions=2)).ok()
    done = kubelet.until(f"{path}/once", lambda a: condition(a.body, "Complete") == "True")
    assert done["status"]["succeeded"] == 2
    assert done["status"]["startTime"] and done["status"]["completionTime"]


def test_a_service_gets_endpoints(kubelet: Api, apps: str, space: str) -> None:
    kubelet.post(f"/api/v1/namespaces/{space}/services", service("web")).ok()
    kubelet.post(f"{apps}/deployments", deployment("web", replicas=2)).ok()
    kubelet.until(
        f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices",
        lambda a: sum(len(s.get("endpoints") or ()) for s in a.body["items"]) == 2,
    )


def test_a_deleted_pod_is_replaced(kubelet: Api, apps: str, space: str) -> None:
    pods = f"/api/v1/namespaces/{space}/pods"
    kubelet.post(f"{apps}/deployments", deployment("web")).ok()
    kubelet.until(f"{apps}/deployments/web", ready(1))  # type: ignore[arg-type]
    (first,) = names(kubelet.get(pods).ok())
    kubelet.delete(f"{pods}/{first}", {"gracePeriodSeconds": 0}).ok()
    kubelet.until(pods, lambda a: len(a.body["items"]) == 1 and names(a.body) != [first])


def test_a_budget_forbids_evictions_and_allows_them(kubelet: Api, space: str) -> None:
    pods = f"/api/v1/namespaces/{space}/pods"
    budget = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/guard"
    spec = {"containers": [{"name": "main", "image": "registry.example/main:1"}]}
    kubelet.post(pods, {"metadata": {"name": "one", "labels": {"app": "one"}}, "spec": spec}).ok()
    wanted: Json = {"minAvailable": 1, "selector": {"matchLabels": {"app": "one"}}}
    kubelet.post(budget.rpartition("/")[0], {"metadata": {"name": "guard"}, "spec": wanted}).ok()
    kubelet.until(budget, lambda a: a.body.get("status", {}).get("currentHealthy") == 1)
    evict = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}}
    text = "The disruption budget guard needs 1 healthy pods and has 1 currently"
    assert kubelet.post(f"{pods}/one/eviction", evict).body == refusal(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {"causes": [{"reason": "DisruptionBudget", "message": text}]},
    )
    kubelet.patch(budget, {"spec": {"minAvailable": 0}}).ok()
    kubelet.until(budget, lambda a: a.body["status"].get("disruptionsAllowed") == 1)
    assert kubelet.post(f"{pods}/one/eviction", evict).ok()["status"] == "Success"
    kubelet.gone(f"{pods}/one")


@pytest.mark.parametrize(
    ("word", "waiting"),
    [("ImagePullBackOff", "ImagePullBackOff"), ("CrashLoopBackOff", "CrashLoopBackOff")],
)
def test_pods_fail_on_demand(kubelet: Api, apps: str, space: str, word: str, waiting: str) -> None:
    """Only the sandbox knows the annotation; what such a pod looks like is the kubelet's form."""
    if kubelet.name != "sandbox":
        pytest.skip(f"{kubelet.name} does not fail on demand")
    kubelet.post(f"{apps}/deployments", deployment("web", **{FAIL: word})).ok()

    def fails(answer: Answer) -> bool:
        states = [
            s["state"].get("waiting", {}).get("reason")
            for pod in answer.body["items"]
            for s in pod["status"].get("containerStatuses", ())
        ]
        return states == [waiting]

    kubelet.until(f"/api/v1/namespaces/{space}/pods", fails)
    found = kubelet.get(f"{apps}/deployments/web").ok()
    assert (found["status"].get("readyReplicas", 0), condition(found, "Available")) == (0, "False")


def test_a_failing_job_ends_at_its_limit(kubelet: Api, space: str) -> None:
    if kubelet.name != "sandbox":
        pytest.skip(f"{kubelet.name} does not fail on demand")
    path = f"/apis/batch/v1/namespaces/{space}/jobs"
    kubelet.post(path, job("bad", fail="Error", backoffLimit=1)).ok()
    failed = kubelet.until(f"{path}/bad", lambda a: condition(a.body, "Failed") == "True")
    (why,) = (c for c in failed["status"]["conditions"] if c["type"] == "Failed")
    assert (why["reason"], why["message"]) == (
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    )
