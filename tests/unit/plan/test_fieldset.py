"""Reading managedFields."""

from __future__ import annotations

from sbkube.plan import fieldset

LIVE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "namespace": "x",
        "labels": {"mine": "1", "theirs": "2"},
        "managedFields": [
            {
                "manager": "sbkube",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:mine": {}}},
                    "f:spec": {
                        "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}
                    },
                },
            },
            {
                "manager": "other",
                "operation": "Update",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}},
            },
        ],
    },
    "spec": {
        "clusterIP": "10.0.0.1",
        "ports": [
            {"port": 80, "protocol": "TCP", "name": "http", "targetPort": 80},
            {"port": 81, "protocol": "TCP"},
        ],
    },
}


def test_extract_gives_what_was_applied() -> None:
    body = fieldset.extract(LIVE, fieldset.owned_tree(LIVE, "sbkube"))
    assert body == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "x", "labels": {"mine": "1"}},
        "spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "http"}]},
    }


def test_owners() -> None:
    owners = fieldset.owners(LIVE, ("f:metadata", "f:labels", "f:theirs"))
    assert [owner.manager for owner in owners] == ["other"]


def test_nothing_is_owned_by_a_stranger() -> None:
    assert fieldset.owned_tree(LIVE, "stranger") == {}
