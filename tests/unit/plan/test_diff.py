"""Field-by-field differences of objects."""

from __future__ import annotations

from typing import Any

from sbkube.plan import diff


def _deployment(image: str, replicas: int = 1, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "x", **metadata},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
        "status": {"replicas": 7},
    }


def test_equal_objects_differ_in_nothing_that_people_care_about() -> None:
    before = _deployment("a", resourceVersion="1", uid="u", generation=1)
    after = _deployment("a", resourceVersion="2", uid="u", generation=2) | {"status": {}}
    assert diff.compare(before, after) == ()


def test_list_items_are_told_apart_by_name() -> None:
    (change,) = diff.compare(_deployment("a"), _deployment("b"))
    assert change.path == "spec.template.spec.containers[name=c].image"
    assert (change.before, change.after) == ("a", "b")


def test_added_and_removed_fields_have_none_on_the_other_side() -> None:
    old, new = {"spec": {"a": 1}}, {"spec": {"b": 2}}
    found = {c.path: (c.before, c.after) for c in diff.compare(old, new)}
    assert found == {"spec.a": (1, None), "spec.b": (None, 2)}


def test_true_and_one_are_different() -> None:
    assert diff.compare({"spec": {"a": True}}, {"spec": {"a": 1}})


def test_last_manager_of_a_field_is_named() -> None:
    entry = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "time": "2026-01-02T03:04:05Z",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    (change,) = diff.compare(_deployment("a", 5, managedFields=[entry]), _deployment("a", 1))
    assert (change.path, change.manager, change.time) == ("spec.replicas", "kubectl-edit", "2026-01-02T03:04:05Z")


def test_manager_of_a_list_item_is_found() -> None:
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}}}}}}}
    entry = {"manager": "somebody", "operation": "Update", "time": "t", "fieldsV1": fields}
    (change,) = diff.compare(_deployment("a", managedFields=[entry]), _deployment("b"))
    assert change.manager == "somebody"


def test_a_named_port_is_found_among_entries_keyed_by_number() -> None:
    """Kubernetes tells the ports of a Service apart by number and protocol, people by name."""
    service = {"spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]}}
    tree = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:targetPort": {}}}}}
    entry = {"manager": "somebody", "operation": "Update", "time": "t", "fieldsV1": tree}
    live = {**service, "metadata": {"managedFields": [entry]}}
    wanted = {"spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]}}
    (change,) = diff.compare(live, wanted)
    assert (change.path, change.manager) == ("spec.ports[name=http].targetPort", "somebody")


def test_another_manager_is_named_before_us() -> None:
    tree = {"f:spec": {"f:replicas": {}}}
    entries = [
        {"manager": "other", "operation": "Apply", "time": "1", "fieldsV1": tree},
        {"manager": "sbkube", "operation": "Apply", "time": "2", "fieldsV1": tree},
    ]
    (change,) = diff.compare(_deployment("a", 5, managedFields=entries), _deployment("a", 1), "sbkube")
    assert (change.manager, change.operation) == ("other", "Apply")


def test_items_that_changed_places_are_told_by_the_list() -> None:
    one, two, three = ({"name": name, "value": "1"} for name in "abc")
    (change,) = diff.compare({"env": [one, two]}, {"env": [two, one]})
    assert (change.path, change.before, change.after) == ("env", ["a", "b"], ["b", "a"])
    assert [c.path for c in diff.compare({"env": [one, two]}, {"env": [one, three, two]})] == ["env[name=c]"]


def test_paths_lead_to_their_values_and_can_be_left_out() -> None:
    body = {
        "metadata": {"annotations": {"a.b/c": "1"}},
        "spec": {"ports": [{"port": 80, "protocol": "TCP", "x": 1}, {"port": 81, "protocol": "TCP", "x": 2}]},
    }
    (change,) = diff.compare({"metadata": {"annotations": {"a.b/c": "1"}}}, {"metadata": {"annotations": {}}})
    assert diff.value_at(body, change.path) == "1"
    path = "spec.ports[port=81,protocol=TCP].x"
    assert diff.value_at(body, path) == 2
    assert diff.value_at(diff.without(body, [path, "spec.nothing.there"]), path) is None
    assert body["spec"]["ports"][1]["x"] == 2  # type: ignore[index]


def test_an_order_is_told_from_a_list_of_texts() -> None:
    one, two = ({"name": name, "value": "1"} for name in "ab")
    keyed, plain = {"env": [one, two]}, {"args": ["a", "b"]}
    (change,) = diff.compare(keyed, {"env": [two, one]})
    assert diff.is_order(change, keyed)
    (change,) = diff.compare(plain, {"args": ["b", "a"]})
    assert not diff.is_order(change, plain)
    (change,) = diff.compare(keyed, {"env": [{**one, "value": "2"}, two]})
    assert not diff.is_order(change, keyed)


def test_what_differs_and_is_not_owned_in_the_answer_was_not_asked_for() -> None:
    tree = {"f:spec": {"f:replicas": {}}}
    entry = {"manager": "sbkube", "operation": "Apply", "time": "1", "fieldsV1": tree}
    before, after = _deployment("a", 5), _deployment("a", 1, managedFields=[entry])
    after["spec"] = {**after["spec"], "paused": True}
    assert diff.untouched(before, after, after, "sbkube") == {"spec.paused"}
    assert "spec.replicas" in diff.untouched(before, after, after, "other")


def test_nobody_is_named_for_an_order() -> None:
    one, two = ({"name": name, "value": "1"} for name in "ab")
    entry = {"manager": "sbkube", "operation": "Apply", "time": "1", "fieldsV1": {"f:env": {}}}
    before = {"metadata": {"managedFields": [entry]}, "env": [one, two]}
    (change,) = diff.compare(before, {"env": [two, one]})
    assert change.manager == "" and change.time == ""
