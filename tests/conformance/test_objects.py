"""Create, read, update, delete, and what is refused with which words."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from conformance.objects import config_map, deployment, owners, service, version
from conformance.talk import Api, Json, cause, refusal

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def test_create_answers_201_with_what_the_server_adds(api: Api, maps: str, space: str) -> None:
    answer = api.post(maps, config_map("a", {"x": "1"}))
    assert answer.status == 201
    meta = answer.body["metadata"]
    assert (meta["name"], meta["namespace"]) == ("a", space)
    assert set(meta) == {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"}
    assert answer.body["data"] == {"x": "1"}


def test_what_was_created_is_read_back_whole(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    answer = api.get(f"{maps}/a")
    assert (answer.status, answer.body) == (200, made)
    assert answer.headers["content-type"] == "application/json"


def test_create_records_its_manager(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"}), fieldManager="maker").ok()
    assert owners(made) == {("maker", "Update"): {"f:data": {".": {}, "f:x": {}}}}
    assert made["metadata"]["managedFields"][0]["fieldsType"] == "FieldsV1"


def test_without_a_manager_the_user_agent_names_it(api: Api, maps: str) -> None:
    assert list(owners(api.post(maps, config_map("a", {"x": "1"})).ok())) == [("conformance", "Update")]


def test_reading_nothing_is_404(api: Api, maps: str) -> None:
    assert api.get(f"{maps}/none").body == refusal(
        404, "NotFound", 'configmaps "none" not found', {"name": "none", "kind": "configmaps"}
    )


def test_messages_of_groups_name_the_group(api: Api, apps: str) -> None:
    assert api.get(f"{apps}/deployments/none").body == refusal(
        404,
        "NotFound",
        'deployments.apps "none" not found',
        {"name": "none", "group": "apps", "kind": "deployments"},
    )


def test_creating_twice_is_409(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.post(maps, config_map("a")).body == refusal(
        409, "AlreadyExists", 'configmaps "a" already exists', {"name": "a", "kind": "configmaps"}
    )


def test_update_replaces_and_moves_the_version(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    made["data"] = {"y": "2"}
    answer = api.put(f"{maps}/a", made)
    assert (answer.status, answer.body["data"]) == (200, {"y": "2"})
    assert version(answer.body) != version(made)


def test_update_without_a_change_keeps_the_version(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    assert version(api.put(f"{maps}/a", made).ok()) == version(made)


def test_update_of_an_old_version_is_409(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    api.put(f"{maps}/a", {**made, "data": {"x": "2"}}).ok()
    assert api.put(f"{maps}/a", {**made, "data": {"x": "3"}}).body == refusal(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on configmaps "a": {MODIFIED}',
        {"name": "a", "kind": "configmaps"},
    )


def test_update_without_a_version_wins(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", {"x": "1"})).ok()
    assert api.put(f"{maps}/a", config_map("a", {"x": "2"})).ok()["data"] == {"x": "2"}


def test_update_of_nothing_is_404(api: Api, maps: str) -> None:
    assert api.put(f"{maps}/none", config_map("none")).body == refusal(
        404, "NotFound", 'configmaps "none" not found', {"name": "none", "kind": "configmaps"}
    )


def test_update_under_another_name_is_400(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.put(f"{maps}/a", config_map("b")).body == refusal(
        400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"
    )


def test_what_the_server_owns_cannot_be_changed(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a")).ok()
    sent = {
        **made,
        "metadata": {**made["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z", "selfLink": "/x"},
    }
    meta = api.put(f"{maps}/a", sent).ok()["metadata"]
    assert meta["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    assert "selfLink" not in meta


def test_delete_answers_a_status_with_the_uid(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a")).ok()
    answer = api.delete(f"{maps}/a")
    assert (answer.status, answer.body) == (
        200,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
        },
    )
    assert api.get(f"{maps}/a").status == 404


def test_some_kinds_answer_a_deletion_with_the_object(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services"
    made = api.post(path, service("a")).ok()
    gone = api.delete(f"{path}/a").ok()
    assert (gone["kind"], gone["metadata"]["uid"]) == ("Service", made["metadata"]["uid"])


def test_the_namespace_of_the_body_must_be_that_of_the_path(api: Api, maps: str) -> None:
    assert api.post(maps, config_map("a", namespace="elsewhere")).body == refusal(
        400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"
    )


def test_a_name_is_wanted(api: Api, maps: str) -> None:
    assert api.post(maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}).body == refusal(
        422,
        "Invalid",
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        {
            "kind": "ConfigMap",
            "causes": [
                cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
            ],
        },
    )


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dash-", "a..b", "ü"])
def test_names_are_checked(api: Api, maps: str, name: str) -> None:
    answer = api.post(maps, config_map(name))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.startswith(f'ConfigMap "{name}" is invalid: metadata.name: Invalid value: "{name}": ')
    assert [c["field"] for c in answer.body["details"]["causes"]] == ["metadata.name"]


@pytest.mark.parametrize(
    ("labels", "value"),
    [({"bad key!": "x"}, "bad key!"), ({"a": "no spaces"}, "no spaces"), ({"a": "x" * 64}, "xxx")],
)
def test_labels_are_checked(api: Api, maps: str, labels: Json, value: str) -> None:
    answer = api.post(maps, config_map("a", labels=labels))
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "metadata.labels")
    assert value in answer.message


@pytest.mark.parametrize(
    ("mode", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201), (None, 201)], ids=str
)
def test_unknown_fields_are_refused_told_or_passed_over(
    api: Api, maps: str, mode: str | None, status: int
) -> None:
    answer = api.post(maps, {**config_map("a"), "dota": {}}, fieldValidation=mode)
    assert answer.status == status
    assert answer.warnings == (['unknown field "dota"'] if mode in ("Warn", None) else [])
    if status == 400:
        assert answer.body == refusal(
            400,
            "BadRequest",
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
            'unknown field "dota"',
        )


def test_duplicate_fields_are_told(api: Api, maps: str) -> None:
    body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
    answer = api.post(maps, body)
    assert answer.ok()["data"] == {"x": "2"}
    assert answer.warnings == ['duplicate field "data.x"']


def test_wrong_types_are_400(api: Api, maps: str) -> None:
    assert api.post(maps, config_map("a", {"x": 1})).body == refusal(
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct '
        "field ConfigMap.data of type string",
    )


def test_half_a_body_is_400(api: Api, maps: str) -> None:
    answer = api.post(maps, '{"apiVersion": "v1", "kind":')
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert "couldn't get version/kind; json parse error: unexpected end of JSON input" in answer.message


def test_another_kind_is_400(api: Api, maps: str) -> None:
    answer = api.post(maps, {"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "a"}})
    assert answer.status == 400
    assert answer.message.startswith(
        'Nothing in version "v1" cannot be handled as a ConfigMap: no kind "Nothing" is registered for '
        'version "v1"'
    )


def test_a_body_without_a_kind_is_what_the_path_says(api: Api, maps: str) -> None:
    assert api.post(maps, {"metadata": {"name": "a"}}).ok()["kind"] == "ConfigMap"


def test_yaml_is_understood(api: Api, maps: str) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"
    answer = api.ask("POST", maps, body, headers={"Content-Type": "application/yaml"})
    assert answer.ok()["data"] == {"x": "1"}


def test_unknown_content_types_are_415(api: Api, maps: str) -> None:
    assert api.ask("POST", maps, "x", headers={"Content-Type": "text/plain"}).body == refusal(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf",
    )


def test_unknown_accepts_are_406(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.ask("GET", f"{maps}/a", headers={"Accept": "text/csv"}).status == 406


def test_without_a_token_it_is_401(api: Api, maps: str) -> None:
    answer = api.ask("GET", maps, headers={"Authorization": "Bearer nonsense"})
    assert answer.body == refusal(401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_collections_do_not_take_these_methods(api: Api, maps: str, method: str) -> None:
    assert api.ask(method, maps, config_map("a")).body == refusal(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def test_secrets_take_text_and_keep_base64(api: Api, space: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"x": "plain"}}
    made = api.post(f"/api/v1/namespaces/{space}/secrets", body).ok()
    assert made["data"] == {"x": base64.b64encode(b"plain").decode()}
    assert (made["type"], "stringData" in made) == ("Opaque", False)


def test_immutable_maps_stay(api: Api, maps: str) -> None:
    made = api.post(maps, {**config_map("a", {"x": "1"}), "immutable": True}).ok()
    text = "Forbidden: field is immutable when `immutable` is set"
    assert api.put(f"{maps}/a", {**made, "data": {"x": "2"}}).body == refusal(
        422,
        "Invalid",
        f'ConfigMap "a" is invalid: data: {text}',
        {"name": "a", "kind": "ConfigMap", "causes": [cause("FieldValueForbidden", text, "data")]},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fieldValidation", "Maybe"),
        ("dryRun", "Some"),
        ("fieldManager", "x" * 129),
    ],
)
def test_unknown_options_are_422(api: Api, maps: str, field: str, value: str) -> None:
    answer = api.post(maps, config_map("a"), **{field: value})
    assert (answer.status, answer.body["details"]["kind"]) == (422, "CreateOptions")
    assert [c["field"] for c in answer.body["details"]["causes"]] == [field]
    assert answer.message.startswith(f'CreateOptions.meta.k8s.io "" is invalid: {field}: ')


def test_several_mistakes_are_told_at_once(api: Api, apps: str) -> None:
    body = deployment("a", replicas=-1)
    body["spec"]["template"]["spec"]["containers"][0].pop("image")
    answer = api.post(f"{apps}/deployments", body)
    fields = {c["field"] for c in answer.body["details"]["causes"]}
    assert (answer.status, fields) == (422, {"spec.replicas", "spec.template.spec.containers[0].image"})
    assert answer.message.startswith('Deployment.apps "a" is invalid: [')


def test_a_selector_must_fit_the_template(api: Api, apps: str) -> None:
    body = deployment("a")
    body["spec"]["selector"]["matchLabels"] = {"app": "other"}
    answer = api.post(f"{apps}/deployments", body)
    assert answer.status == 422
    assert "`selector` does not match template `labels`" in answer.message


def test_a_selector_is_immutable(api: Api, apps: str) -> None:
    made = api.post(f"{apps}/deployments", deployment("a")).ok()
    made["metadata"].pop("resourceVersion")
    made["spec"]["selector"]["matchLabels"]["x"] = "y"
    made["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    answer = api.put(f"{apps}/deployments/a", made)
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "spec.selector")
    assert answer.message.endswith("field is immutable")


def test_defaults_are_filled_in(api: Api, apps: str) -> None:
    spec: Any = api.post(f"{apps}/deployments", deployment("a", replicas=None)).ok()["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"], pod["terminationGracePeriodSeconds"]) == (
        "Always",
        "ClusterFirst",
        30,
    )
    assert pod["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert pod["containers"][0]["resources"] == {}


def test_a_service_gets_an_address_and_keeps_it(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services"
    made = api.post(path, service("a")).ok()
    address = made["spec"]["clusterIP"]
    assert made["spec"]["clusterIPs"] == [address] and address.count(".") == 3
    sent = service("a")
    sent["spec"]["ports"][0]["port"] = 81
    assert api.put(f"{path}/a", sent).ok()["spec"]["clusterIP"] == address
    moved = service("a", clusterIP="10.43.99.99", clusterIPs=["10.43.99.99"])
    answer = api.put(f"{path}/a", moved)
    assert answer.status == 422
    assert "field is immutable" in answer.message or "may not change once set" in answer.message
