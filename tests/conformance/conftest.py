"""The servers that the scenarios run against, and what most scenarios start with.

`sandbox` is always there. `kubeconfig` is the server of SBKUBE_TEST_KUBECONFIG, `envtest` a kube-apiserver that is
started here (see envtest.py). Scenarios run against those that are there; test_servers.py says which are not.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance import envtest
from conformance.servers import SERVERS, why_not
from conformance.talk import Api, Json

from sbkube.edges import kubeconfig
from sbkube.edges.access import Access
from sbkube.testing import sandbox


@pytest.fixture(scope="session", params=[name for name in SERVERS if not why_not(name)])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Each server in turn."""
    folder = tmp_path_factory.mktemp("conformance")
    with contextlib.ExitStack() as opened:
        if request.param == "sandbox":
            box = opened.enter_context(sandbox(folder))
            found = _of_token("sandbox", box.server, str(box.ca), box.token)
        elif request.param == "kubeconfig":
            found = _named(os.environ["SBKUBE_TEST_KUBECONFIG"], folder)
        else:
            started = opened.enter_context(envtest.running(folder, os.environ))
            found = _of_token("envtest", started.server, str(started.ca), started.token)
        found.controllers = _has_controllers(found)
        yield found


def _of_token(name: str, server: str, ca: str, token: str) -> Api:
    tls = ssl.create_default_context(cafile=ca)
    return Api(name, server, tls, {"Authorization": f"Bearer {token}"})


def _named(path: str, folder: Path) -> Api:
    access = kubeconfig.load(path, None, os.environ)
    if access.auth.plugin or access.auth.username or access.proxy:
        pytest.skip(f"{path}: these scenarios know tokens and client certificates only")
    headers = {"Authorization": f"Bearer {access.auth.token}"} if access.auth.token else {}
    return Api("kubeconfig", access.server, _tls(access, folder), headers)


def _tls(access: Access, folder: Path) -> ssl.SSLContext:
    known = access.tls
    context = ssl.create_default_context(cafile=known.ca_file or None, cadata=known.ca_data or None)
    if known.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if known.cert_data or known.cert_file:
        # Python reads client certificates from files only.
        pair = folder / "client.pem"
        pair.touch(mode=0o600)
        pair.write_text(
            "\n".join((_text(known.cert_data, known.cert_file), _text(known.key_data, known.key_file)))
        )
        context.load_cert_chain(pair)
    return context


def _text(data: str, file: str) -> str:
    return data or Path(file).read_text()


def _has_controllers(api: Api) -> bool:
    """Whether somebody gives a new namespace its ServiceAccount."""
    name = f"probe-{uuid.uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}}).ok()
    deadline = time.monotonic() + 5
    path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    while not (there := api.get(path).status == 200) and time.monotonic() < deadline:
        time.sleep(0.1)
    api.delete(f"/api/v1/namespaces/{name}")
    return there


@pytest.fixture
def controllers(api: Api) -> Api:
    """The server, when it has controllers: for deployments, garbage collection, namespace deletion."""
    if not api.controllers:
        pytest.skip(f"{api.name} has no controllers: nobody makes the ServiceAccount of a new namespace")
    return api


@pytest.fixture
def kubelet(controllers: Api, space: str) -> Api:
    """The server, when its pods become ready."""
    if controllers.name != "sandbox" and not controllers.get("/api/v1/nodes").ok()["items"]:
        pytest.skip(f"{controllers.name} has no nodes: pods do not become ready")
    return controllers


@pytest.fixture
def space(api: Api) -> Iterator[str]:
    """A namespace of the test's own; gives its name."""
    name = f"c-{uuid.uuid4().hex[:10]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}}).ok()
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def maps(space: str) -> str:
    """The path of the ConfigMaps in the test's namespace."""
    return f"/api/v1/namespaces/{space}/configmaps"


@pytest.fixture
def apps(space: str) -> str:
    """The path of the group `apps` in the test's namespace."""
    return f"/apis/apps/v1/namespaces/{space}"


@pytest.fixture
def define(api: Api) -> Iterator[Callable[..., str]]:
    """Makes a CustomResourceDefinition `widgets` in a group of its own and waits for it; gives the group."""
    made: list[str] = []

    def of(schema: Json, **version: Any) -> str:
        group = f"g{uuid.uuid4().hex[:8]}.example.com"
        scope = version.pop("scope", "Namespaced")
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": {
                "group": group,
                "scope": scope,
                "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "shortNames": ["wd"]},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": schema}},
                        **version,
                    }
                ],
            },
        }
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        api.post(path, body).ok()
        made.append(f"{path}/widgets.{group}")
        api.until(made[-1], lambda answer: _holds(answer.body, "Established"))
        api.until(f"/apis/{group}/v1", lambda answer: answer.status == 200)
        return group

    yield of
    for path in made:
        api.delete(path)


def _holds(body: Json, condition: str) -> bool:
    found = (body.get("status") or {}).get("conditions") or ()
    return any(c["type"] == condition and c["status"] == "True" for c in found)
