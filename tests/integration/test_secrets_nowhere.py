"""Planted secret values are looked for in every byte that sbkube writes, says, or passes to a process.

What is looked at: the folder of the state database with WAL, backups, key-less exports (unpacked) and dumps of
outcomes, all blobs that are not encrypted (unpacked), logs, saved plans, caches, temporary files, standard output
and standard error of every command in every format, and the command lines of all processes while they run. The
project's own files and the sandbox's own store are where the values come from and go to, so they are left out.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import yaml
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_conflicts import app, edit
from integration.test_crash import _until
from integration.test_definitions import definition
from shapes import configmap, deployment
from web_server import serving

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Request
from sbkube.models.resource import ResourceKey
from sbkube.state.packing import decompress, zstd

PLANTED = {
    "data of a Secret": "Zq7/data+4411 aaaa=",
    "stringData of a Secret": "Zq7/string+4422&bbbb",
    "a Helm value": "Zq7/values+4433%cccc",
    "a value named in sensitive": "Zq7/named+4444 dddd",
    "an expanded variable": "Zq7/variable+4455?eeee",
    "a last-applied annotation": "Zq7/applied+4466 ffff",
    "a password of a state URL": "Zq7_url_4477_gggg",
    "a password of a chart repository": "Zq7_repo_4488_hhhh",
    "a header of a download": "Zq7_header_4499_iiii",
    "a signature in an address": "Zq7_signed_4400_jjjj",
    "a login of a git server": "Zq7_git_4411_kkkk",
}
SAID_BY_A_POD = "**.annotations.sandbox*"  # where the sandbox is told what a pod logs
CHART = {
    "all.yaml": """apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-login}
stringData: {password: {{ .Values.password | quote }}, other: {{ .Values.other | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-page}
data: {colour: {{ .Values.colour | quote }}}
"""
}


def forms(value: str) -> set[bytes]:
    """A value as it could stand somewhere."""
    plain = value.encode()
    texts = {value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], plain.hex()}
    return {text.encode() for text in texts} | {base64.b64encode(plain), base64.urlsafe_b64encode(plain)}


NEEDLES = {needle: name for name, value in PLANTED.items() for needle in forms(value)}


@dataclass
class Witness:
    """Runs commands and keeps everything they say; looks at the processes meanwhile."""

    bench: Bench
    home: Path
    said: list[tuple[str, bytes]] = field(default_factory=list)
    processes: set[bytes] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, *words: str, code: int | None = 0) -> str:
        ran = self.bench.sbkube(*words)
        self.said.append((" ".join(words), f"{ran.out}\n{ran.err}".encode()))
        assert code is None or ran.code == code, f"{words}: exit {ran.code}\n{ran.out}\n{ran.err}"
        return ran.out + ran.err

    def watch(self) -> None:
        while not self._stop.wait(0.002):
            for entry in os.scandir("/proc"):
                if entry.name.isdigit():
                    try:
                        self.processes.add(Path(entry.path, "cmdline").read_bytes())
                    except OSError:
                        continue

    def found(self) -> list[str]:
        """Every place where a planted value was seen."""
        self._stop.set()
        places = [(f"said by `{words}`", text) for words, text in self.said]
        places += [("a command line", line) for line in self.processes]
        for folder in (self.home, self.bench.folder):
            places += [(str(path), data) for path, data in written(folder)]
        return sorted({f"{NEEDLES[n]}: {where}" for where, text in places for n in NEEDLES if n in text})


def written(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """All files, packed ones unpacked too; without the project's own files."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or inside.parts[0] in {"m.yaml", "sbkube.yaml", "charts"}:
            continue
        data = path.read_bytes()
        yield path, data
        if data.startswith(b"SQLite format 3"):
            with sqlite3.connect(path) as database:
                query = "select digest, content from blobs where codec = 'zstd'"
                for digest, content in database.execute(query):
                    yield path / str(digest), decompress(content)
        elif data.startswith(b"\x28\xb5\x2f\xfd"):
            for line in zstd.decompress(data).splitlines():
                blob = json.loads(line).get("blob", {})
                plain = decompress(base64.b64decode(blob["content"])) if blob.get("codec") == "zstd" else b""
                yield path, line + plain


@pytest.fixture
def witness(bench: Bench, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    """Everything that is written goes below one folder; the project has a folder of its own in it."""
    (own_home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(own_home / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("PLANTED", PLANTED["an expanded variable"])
    bench.folder = bench.folder / "project"
    bench.folder.mkdir()
    one = Witness(bench, own_home)
    one.bench.folder = bench.folder
    thread = threading.Thread(target=one.watch, daemon=True)
    thread.start()
    yield one
    one._stop.set()
    thread.join()


def secret(name: str, **strings: str) -> dict[str, Any]:
    data = base64.b64encode(PLANTED["data of a Secret"].encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {"first": data},
        "stringData": {"second": PLANTED["stringData of a Secret"], **strings},
    }


def project(bench: Bench, colour: str, *more: dict[str, Any], **settings: Any) -> None:
    """An app of manifests and an app of a chart, both full of secrets; `colour` is what changes."""
    token = configmap("named", colour=colour, token=PLANTED["a value named in sensitive"])
    bench.write("m.yaml", [secret("login", colour=colour), token, *more])
    values = [{"other": PLANTED["a Helm value"], "colour": colour}]
    bench.project(
        {
            "plain": {"type": "yaml", "manifests": ["m.yaml"], "sensitive": ["data.token", SAID_BY_A_POD]},
            "chart": {"type": "helm", "chart": bench.chart("web", CHART, "{}"), "values": values},
        },
        **{"timeout": 60, "global_values": {"password": "${PLANTED}"}, **settings},
    )


def look_at_everything(witness: Witness) -> None:
    for form in ("human", "json", "yaml", "llm"):
        witness.run("diff", "-v", "-o", form)
        witness.run("show", "-v", "-o", form)
        witness.run("history", "-o", form)
        witness.run("status", "-v", "-o", form, code=None)
        witness.run("drift", "-o", form, code=None)
        witness.run("apply", "--dry-run", "-v", "-o", form)
    witness.run("history", "-o", "csv")
    witness.run("template")


def left_behind(api_server: HttpCluster, bench: Bench) -> None:
    """A Secret that kubectl made, with its annotation."""
    body = secret("login")
    applied = json.dumps({**body, "stringData": {"second": PLANTED["a last-applied annotation"]}})
    body["metadata"] = {
        "name": "login",
        "namespace": bench.namespace,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
    }
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    api_server.create(space, manager="kubectl")
    api_server.create(body, manager="kubectl-client-side-apply")


def test_from_the_first_apply_to_the_last_delete(witness: Witness, api_server: HttpCluster) -> None:
    bench = witness.bench
    left_behind(api_server, bench)
    project(bench, "blue")
    witness.run("apply", "-y", "-v", "--force-conflicts")
    look_at_everything(witness)
    project(bench, "red")
    look_at_everything(witness)
    witness.run("plan", "--out", str(witness.home / "saved.json"))
    witness.run("apply", "-y", "-v", "-o", "json", "--force-conflicts")
    witness.run("rollback", "-y", "-v")
    witness.run("show", "-v")
    witness.run("state", "export", str(witness.home / "export.zst"))
    witness.run("state", "rekey", "-y")
    witness.run("state", "verify")
    witness.run("delete", "-y", "-v")
    witness.run("state", "prune", "--keep", "1", "-y")
    witness.run("history", "-o", "json")
    assert len(witness.processes) > 3
    assert witness.found() == []


@pytest.fixture
def refuse(api_server: HttpCluster, bench: Bench) -> Iterator[Callable[..., None]]:
    """Let the API server refuse something, in the words of a webhook that quotes what it was sent."""
    if not api_server.info().sandbox:
        pytest.skip("faults on demand want a sandbox")

    def add(**fault: Any) -> None:
        message = " and ".join([f'the value "{value}" is too weak' for value in PLANTED.values()])
        what = {"verb": "patch", "namespace": bench.namespace, "status": 422, "message": message, "times": 0}
        fault = what | fault
        api_server.connection.request(Request("POST", "/sandbox/faults", json.dumps([fault]).encode()))

    yield add
    api_server.connection.request(Request("DELETE", "/sandbox/faults"))


def test_refusals_logs_and_events_that_quote_a_value(
    witness: Witness, api_server: HttpCluster, refuse: Callable[..., None]
) -> None:
    """Only values that the object, its app or the plan holds can be known; a webhook that quotes others is on its
    own."""
    bench = witness.bench
    own = [PLANTED[name] for name in ("data of a Secret", "stringData of a Secret")]
    quoting = f"cannot log in with {own[1]} nor with {own[0]}"
    project(bench, "blue", deployment("noisy", fail="CrashLoopBackOff", log=quoting))
    witness.run("apply", "-y", "-v", code=1)
    witness.run("show", "-v")
    witness.run("show", "-o", "json")
    refuse(kind="Secret", name="login", message=f"the values {own} are too weak", dry_run=True)
    project(bench, "red")
    witness.run("apply", "-y", "-v", code=None)
    witness.run("diff", "-o", "json", code=None)
    api_server.connection.request(Request("DELETE", "/sandbox/faults"))
    refuse(kind="Secret", name="login", message=f"the values {own} are too weak", dry_run=False)
    witness.run("apply", "-y", "-v", code=1)
    witness.run("apply", "-y", "-o", "json", code=1)
    assert "too weak" in witness.run("show", "-v")
    assert witness.found() == []


def test_commands_that_quote_a_secret(witness: Witness) -> None:
    """In hooks of the project and of an app, and in a command of its own; recorded, shown, and gone on with."""
    quoting = f"echo {PLANTED['a login of a git server']}"
    hooks = {"deploy": {"pre": [quoting]}, "apply": {"post": [quoting]}}
    witness.bench.write("m.yaml", [secret("login", third=PLANTED["a login of a git server"])])
    manifests = {"type": "yaml", "manifests": ["m.yaml"], "hooks": {"post_deploy": [quoting]}}
    witness.bench.project({"plain": manifests, "run": {"type": "exec", "commands": [quoting, "sh -c 'exit 3'"]}})
    file = witness.bench.folder / "sbkube.yaml"
    file.write_text(file.read_text() + yaml.safe_dump({"hooks": hooks}))
    for form in ("human", "json"):
        witness.run("plan", "-v", "-o", form)
        witness.run("apply", "-y", "-v", "-o", form, code=1)
        witness.run("show", "-v", "-o", form)
    assert "(masked)" in witness.run("plan") and "(masked)" in witness.run("show")
    witness.run("rollback", "-y", code=None)
    assert [found for found in witness.found() if "command line" not in found] == []


def test_refused_dry_runs_that_quote_values_of_an_app(
    witness: Witness, api_server: HttpCluster, refuse: Callable[..., None]
) -> None:
    """What `sensitive` names, and Helm values from a file, in objects that are no Secrets; in every command."""
    bench, named = witness.bench, PLANTED["a value named in sensitive"]
    chart = {
        "page.yaml": CHART["all.yaml"].replace("{{ .Values.colour | quote }}", "{{ .Values.password | quote }}")
    }

    def project(colour: str) -> None:
        bench.write("m.yaml", [configmap("named", colour=colour, token=named)])
        bench.write("charts/values.yaml", {"password": PLANTED["a Helm value"], "other": colour})
        bench.project(
            {
                "plain": {"type": "yaml", "manifests": ["m.yaml"], "sensitive": ["data.token"]},
                "chart": {
                    "type": "helm",
                    "chart": bench.chart("web", chart, "{}"),
                    "values": ["charts/values.yaml"],
                },
            },
            timeout=60,
            sensitive=["data.token", "password", "data.colour"],
        )

    project("blue")
    witness.run("apply", "-y", "-v")
    project("red")
    for dry_run in (True, False):
        api_server.connection.request(Request("DELETE", "/sandbox/faults"))
        for name, value in (("named", named), ("chart-login", PLANTED["a Helm value"])):
            refuse(name=name, message=f'the value "{value}" is too weak', dry_run=dry_run)
        for form in ("human", "json"):
            for words in (
                ("diff", "-v"),
                ("apply", "-y", "-v"),
                ("drift", "-v"),
                ("rollback", "-y"),
                ("show", "-v"),
            ):
                witness.run(*words, "-o", form, code=None)
            witness.run("adopt", "plain", "-y", "-o", form, code=None)
            witness.run("history", "-o", form)
    assert any(b"too weak" in said for _, said in witness.said)
    assert witness.found() == []


def test_a_killed_run_and_one_that_loses_its_database(witness: Witness, api_server: HttpCluster) -> None:
    bench = witness.bench
    for ending in ("killed", "robbed"):
        project(bench, ending, deployment(f"slow-{ending}", ready_after="3" if ending == "robbed" else "60"))
        command = [sys.executable, "-m", "sbkube", "apply", "-y", "-v", "--kubeconfig", str(bench.config)]
        run = subprocess.Popen(command, cwd=bench.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _until(lambda name=f"slow-{ending}": get(api_server, "Deployment", bench.namespace, name, "apps"), 120)
        state = Path(os.environ["SBKUBE_STATE_URL"])
        if ending == "killed":
            time.sleep(0.2)
            run.kill()
        else:
            state.rename(state.with_suffix(".gone"))
        out, _ = run.communicate(timeout=60)
        witness.said.append((f"apply, {ending}", out))
        if ending == "robbed":
            assert run.returncode == 6, out
            state.with_suffix(".gone").rename(state)
            (dump,) = state.parent.glob("sbkube-outcomes-*.json")
            witness.run("state", "import", str(dump))
        witness.run("recover")
        witness.run("show", "-v")
    assert witness.found() == []


def test_passwords_of_urls(
    witness: Witness, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench, password = witness.bench, PLANTED["a password of a state URL"]
    project(bench, "blue")
    url = postgres_url.replace("postgres@", f"postgres:{password}@").replace("postgres:@", f"postgres:{password}@")
    assert password in url
    monkeypatch.setenv("SBKUBE_STATE_KEY", witness.run("state", "key").strip())
    monkeypatch.setenv("SBKUBE_STATE_URL", url)
    witness.run("apply", "-y", "-v")
    for words in (("state", "info"), ("state", "upgrade"), ("doctor",), ("history", "-o", "json"), ("show", "-v")):
        witness.run(*words, code=None)
    gone = f"postgresql://ann:{password}@127.0.0.1:1/none?connect_timeout=2"
    for words in (("history",), ("apply", "-y"), ("state", "verify", "-o", "json")):
        monkeypatch.setenv("SBKUBE_STATE_URL", gone)
        witness.run(*words, code=5)
        monkeypatch.delenv("SBKUBE_STATE_URL")
        ran = bench.sbkube(*words, "--state-url", gone)  # our own words hold it; what we say must not
        witness.said.append((" ".join(words), f"{ran.out}{ran.err}".encode()))
    monkeypatch.setenv("SBKUBE_STATE_URL", str(tmp_path / "other.db"))
    repo = f"http://ann:{PLANTED['a password of a chart repository']}@127.0.0.1:1/charts"
    bench.project(
        {"far": {"type": "helm", "chart": "r/web", "version": "1.0.0"}},
        helm_repos={"r": {"url": repo}},
        timeout=60,
    )
    for words in (("apply", "-y"), ("diff", "-o", "json"), ("template",), ("validate",)):
        witness.run(*words, code=None)
    assert witness.found() == []


def test_logins_of_downloads_and_git_servers(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = witness.bench
    header, signed, login = (PLANTED[n] for n in PLANTED if n.startswith(("a header", "a signature", "a login")))
    monkeypatch.setenv("PLANTED_HEADER", header)
    manifest = json.dumps(configmap("far")).encode()
    with serving() as site:
        site.files["/far.json"] = manifest
        far = {"type": "http", "url": f"{site.url}/far.json?sig={signed}", "dest": "got/far.json"}
        far["headers"] = {"Authorization": f"Bearer {header}"}
        uses = {"type": "yaml", "manifests": ["got/far.json"], "depends_on": ["far"]}
        bench.project({"far": far, "uses": uses}, timeout=60)
        witness.run("apply", "-y", "-v")
        assert any(header in str(headers) for _, headers in site.asked)
        look_at_everything(witness)
        del site.files["/far.json"]
        far["url"] += "&other=1"
        bench.project({"far": far, "uses": uses}, timeout=60)
        witness.run("apply", "-y", "-v", code=4)
        repos = {"r": {"url": f"{site.url}/none.git", "username": "ann", "password": login}}
        bench.project({"code": {"type": "git", "repo": "r"}}, timeout=60, git_repos=repos)
        for words in (("apply", "-y", "-v"), ("diff", "-o", "json"), ("validate",), ("history",)):
            witness.run(*words, code=None)
    assert len([1 for words, _ in witness.said if words.startswith("apply")]) >= 3
    assert witness.found() == []


def test_sensitive_fields_are_hidden_wherever_a_difference_is_told(bench: Bench, api_server: HttpCluster) -> None:
    """Differences name items by their keys and quote odd names; globs do neither."""
    globs = ["metadata.annotations.example.com/token", "spec.template.spec.containers.*.env.0.value"]

    def wanted(value: str) -> None:
        body = deployment("w")
        body["metadata"]["annotations"] = {"example.com/token": value, "other": "1"}
        body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "P", "value": value}]
        app(bench, body, sensitive=globs)

    wanted("planted-one")
    bench.ok("apply", "-y")
    wanted("planted-two")
    for form in ("human", "json", "yaml", "llm"):
        assert "planted" not in bench.ok("plan", "-o", form, "--out", "saved").out
    assert "planted" not in (bench.folder / "saved").read_text()
    bench.ok("apply", "--plan", "saved", "-y")
    patch = {"metadata": {"annotations": {"example.com/token": "planted-three"}}}
    edit(api_server, bench, "Deployment", "w", patch, "kubectl-edit")
    for words in (("drift",), ("drift", "-o", "json"), ("plan",), ("rollback", "-y")):
        ran = bench.sbkube(*words)
        assert "example.com/token" in ran.out + ran.err and "planted" not in ran.out + ran.err


def test_a_refused_rollback_does_not_quote_what_is_sensitive(bench: Bench, api_server: HttpCluster) -> None:
    """The API server does: `Invalid value: "…"`. So the values are taken out of what it says."""
    group = f"{bench.namespace}.example.com"

    def allow(pattern: str) -> None:
        wanted = definition(group, properties={"pin": {"type": "string", "pattern": pattern}})
        api_server.apply(wanted, manager="tests", force=True)

    def established() -> bool:
        live = api_server.get(ResourceKey.of(definition(group))) or {}
        conditions = (live.get("status") or {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def put(pin: str) -> None:
        kind = {"apiVersion": f"{group}/v1", "kind": "Gadget"}
        bench.write("gadget.yaml", [{**kind, "metadata": {"name": "g"}, "spec": {"pin": pin}}])
        bench.project({"g": {"type": "yaml", "manifests": ["gadget.yaml"]}}, sensitive=["spec.pin"])
        bench.ok("apply", "-y")

    allow(".*")
    _until(established)
    put("hunter-one")
    put("new-pin")
    allow("^new-")
    ran = bench.sbkube("rollback", "-y")
    while ran.code == 0:  # a server may take a moment to follow the new definition
        put("new-pin")
        ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "hunter-one" not in ran.out + ran.err and "(masked)" in ran.err
