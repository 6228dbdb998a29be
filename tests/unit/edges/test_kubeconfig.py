"""Kubeconfigs: found, merged, chosen from, and refused with a way out."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sbkube.edges import kubeconfig
from sbkube.errors import ClusterUnreachable

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
DATA = base64.b64encode(PEM.encode()).decode()


def config(name: str, *, cluster: Any = None, user: Any = None, current: str | None = None, **context: str) -> str:
    return json.dumps(
        {
            "current-context": name if current is None else current,
            "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443", **(cluster or {})}}],
            "users": [{"name": f"{name}-user", "user": user or {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-user", **context}}],
        }
    )


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_default_place_is_below_home(own_home: Path) -> None:
    write(own_home / ".kube" / "config", config("home", namespace="apps"))
    access = kubeconfig.load(None, None, os.environ)
    assert (access.server, access.context, access.cluster, access.user, access.namespace) == (
        "https://home:6443",
        "home",
        "home",
        "home-user",
        "apps",
    )


def test_an_explicit_path_wins(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1", config("one")), write(tmp_path / "2", config("two"))
    assert kubeconfig.load(one, None, {"KUBECONFIG": two}).context == "one"
    assert kubeconfig.load("~/1", None, {"HOME": str(tmp_path)}).context == "one"


def test_a_list_is_merged_and_the_first_file_wins(tmp_path: Path) -> None:
    one = write(tmp_path / "1", config("one", current=""))
    two = write(tmp_path / "2", config("two"))
    again = write(tmp_path / "3", config("one", cluster={"server": "https://elsewhere"}))
    environ = {"KUBECONFIG": os.pathsep.join([one, str(tmp_path / "gone"), two, again])}
    assert kubeconfig.load(None, None, environ).context == "two"
    assert kubeconfig.load(None, "one", environ).server == "https://one:6443"
    assert kubeconfig.contexts(None, environ) == (("one", "two"), "two")


def test_an_unknown_context_names_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "c", config("prod"))
    with pytest.raises(ClusterUnreachable) as caught:
        kubeconfig.load(path, "prd", {})
    assert str(caught.value) == f'{path}: no context "prd"'
    assert caught.value.hint == "known contexts: prod"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contexts: [", "not a kubeconfig"),
        ("[1]", "a mapping is expected"),
        ("contexts: 3", "`contexts` must be a list"),
        ("", "no current-context is set"),
        ("clusters: null\ncontexts: null\ncurrent-context: ''", "no current-context is set"),
        (config("a", cluster={"server": "a:6443"}), "is not an http"),
        (config("a", user={"client-certificate-data": DATA}), "both client-certificate and client-key"),
        (config("a", cluster={"certificate-authority-data": "%%"}), "not base64"),
        (config("a", cluster={"certificate-authority": "gone.crt"}), "gone.crt, which cannot be read"),
        (
            config("a", cluster={"certificate-authority-data": DATA, "insecure-skip-tls-verify": True}),
            "remove one",
        ),
        (config("a", user={"auth-provider": {"name": "gcp"}}), 'auth-provider "gcp"'),
        (
            config("a", user={"exec": {"command": "x", "apiVersion": "client.authentication.k8s.io/v1alpha1"}}),
            "v1alpha1",
        ),
        (config("a").replace('"cluster": "a"', '"cluster": "b"'), 'names cluster "b", which is not there'),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "c", text)
    with pytest.raises(ClusterUnreachable) as caught:
        kubeconfig.load(path, None, {})
    assert message in str(caught.value)
    assert str(caught.value).startswith(path)
    assert caught.value.hint


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ClusterUnreachable, match="no kubeconfig at") as caught:
        kubeconfig.load(None, None, {"HOME": str(tmp_path)})
    assert "--sandbox" in str(caught.value.hint)
    with pytest.raises(ClusterUnreachable, match="no kubeconfig at"):
        kubeconfig.load(str(tmp_path / "x"), None, {})


def test_names_stay_what_they_are_in_yaml(tmp_path: Path) -> None:
    text = (
        "current-context: on\ncontexts: [{name: on, context: {cluster: 1.10, user: 0123, namespace: null}}]\n"
        "clusters: [{name: 1.10, cluster: {server: https://x, insecure-skip-tls-verify: true}}]\n"
        "users: [{name: 0123, user: {token: 123456}}]\n"
    )
    access = kubeconfig.load(write(tmp_path / "c", text), None, {})
    assert (access.context, access.cluster, access.user, access.namespace) == ("on", "1.10", "0123", "")
    assert access.tls.insecure
    assert access.auth.token == "123456"


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca", "crt", "key", "tok", "bin/login"):
        write(tmp_path / "k" / name, "x")
    user = {
        "client-certificate": "crt",
        "client-key": "key",
        "tokenFile": "tok",
        "exec": {"command": "./bin/login", "apiVersion": "client.authentication.k8s.io/v1", "args": ["a"]},
    }
    path = write(tmp_path / "k" / "c", config("a", cluster={"certificate-authority": "ca"}, user=user))
    access = kubeconfig.load(path, None, {})
    folder = tmp_path / "k"
    assert access.tls.ca_file == str(folder / "ca")
    assert access.tls.cert_file == str(folder / "crt")
    assert access.auth.token_file == str(folder / "tok")
    assert access.auth.plugin is not None
    assert Path(access.auth.plugin.command) == folder / "bin" / "login"


def test_proxies(tmp_path: Path) -> None:
    plain = write(tmp_path / "1", config("a"))
    named = write(tmp_path / "2", config("a", cluster={"proxy-url": "socks5://jump:1080"}))
    environ = {"HTTPS_PROXY": "http://proxy:3128"}
    assert kubeconfig.load(plain, None, environ).proxy == "http://proxy:3128"
    assert kubeconfig.load(plain, None, {**environ, "NO_PROXY": "a"}).proxy == ""
    assert kubeconfig.load(named, None, environ).proxy == "socks5://jump:1080"


def test_in_a_pod(tmp_path: Path) -> None:
    for name, text in (("token", "t\n"), ("ca.crt", PEM), ("namespace", "apps\n")):
        write(tmp_path / name, text)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = kubeconfig.in_cluster(environ, tmp_path)
    assert (access.server, access.namespace) == ("https://[fd00::1]:443", "apps")
    assert access.auth.token_file == str(tmp_path / "token")
    with pytest.raises(ClusterUnreachable, match="no service account token"):
        kubeconfig.in_cluster(environ, tmp_path / "none")


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    user = {"token": "s3cret", "password": "s3cret", "client-key-data": DATA, "client-certificate-data": DATA}
    path = write(tmp_path / "c", config("a", user=user))
    shown = repr(kubeconfig.load(path, None, {"HTTPS_PROXY": "http://u:s3cret@p", "X": "s3cret"}))
    assert "s3cret" not in shown
    assert "BEGIN" not in shown


def test_a_minimal_kubeconfig_means_the_same(tmp_path: Path) -> None:
    user = {
        "token": "t",
        "username": "u",
        "password": "p",
        "client-certificate-data": DATA,
        "client-key-data": DATA,
        "as": "boss",
        "as-groups": ["g"],
        "exec": {
            "command": "login",
            "apiVersion": "client.authentication.k8s.io/v1",
            "args": ["a", "true"],
            "env": [{"name": "A", "value": "b"}],
            "interactiveMode": "Never",
            "provideClusterInfo": True,
        },
    }
    cluster = {"certificate-authority-data": DATA, "tls-server-name": "n", "proxy-url": "http://p:1"}
    first = kubeconfig.load(
        write(tmp_path / "1", config("a", cluster=cluster, user=user, namespace="x")), None, {}
    )
    again = kubeconfig.load(write(tmp_path / "2", kubeconfig.minimal(first)), None, {})
    assert (again.server, again.tls, again.auth, again.proxy, again.namespace) == (
        first.server,
        first.tls,
        first.auth,
        first.proxy,
        first.namespace,
    )
    assert again.context == first.context
