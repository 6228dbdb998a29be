"""Starting a kube-apiserver, rehearsed with stand-ins for the programs: files, flags, waiting, ending, failing."""

from __future__ import annotations

import ssl
import sys
import urllib.request
from pathlib import Path

import pytest
from conformance import envtest

from sbkube.edges import process

HEAD = f"#!{sys.executable}\nimport os, sys\nopen(sys.argv[0] + '.pid', 'w').write(str(os.getpid()))\n"
FLAGS = "flags = dict(a.removeprefix('--').split('=', 1) for a in sys.argv[1:] if '=' in a)\n"
ETCD = "import time; time.sleep(600)\n"
SERVER = """
import http.server, ssl
for name in ("tls-cert-file", "tls-private-key-file", "token-auth-file", "service-account-key-file",
             "service-account-signing-key-file"):
    assert os.stat(flags[name]).st_mode & 0o077 == 0, name
token, user, uid, groups = open(flags["token-auth-file"]).read().strip().split(",")
assert (user, groups) == ("tester", "system:masters") and flags["etcd-servers"].startswith("http://127.0.0.1:")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == f"Bearer {token}"
        self.send_response(200 if known else 401)
        self.end_headers()
server = http.server.HTTPServer((flags["bind-address"], int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(flags["tls-cert-file"], flags["tls-private-key-file"])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def stand_ins(folder: Path, server: str) -> dict[str, str]:
    """An environment whose KUBEBUILDER_ASSETS holds both programs."""
    assets = folder / "assets"
    assets.mkdir()
    for name, text in (("etcd", ETCD), ("kube-apiserver", server)):
        (assets / name).write_text(HEAD + FLAGS + text)
        (assets / name).chmod(0o755)
    return {"KUBEBUILDER_ASSETS": str(assets)}


def pids(environ: dict[str, str]) -> list[int]:
    return [int(p.read_text()) for p in Path(environ["KUBEBUILDER_ASSETS"]).glob("*.pid")]


def test_missing_programs_are_named(tmp_path: Path) -> None:
    assert envtest.missing({"KUBEBUILDER_ASSETS": str(tmp_path)}) == (
        f"{tmp_path} has no etcd and no kube-apiserver (set KUBEBUILDER_ASSETS)"
    )
    environ = stand_ins(tmp_path, SERVER)
    assert envtest.missing(environ) == ""
    Path(environ["KUBEBUILDER_ASSETS"], "etcd").unlink()
    assert "has no etcd (" in envtest.missing(environ)


def test_it_serves_and_both_programs_end(tmp_path: Path) -> None:
    environ = stand_ins(tmp_path, SERVER)
    with envtest.running(tmp_path, environ) as found:
        request = urllib.request.Request(f"{found.server}/x", headers={"Authorization": f"Bearer {found.token}"})
        tls = ssl.create_default_context(cafile=found.ca)
        with urllib.request.urlopen(request, context=tls) as answer:
            assert answer.status == 200
        running = pids(environ)
        assert len(running) == 2
    assert [process.alive(pid) for pid in running] == [False, False]


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    environ = stand_ins(tmp_path, "sys.exit('unknown flag: --frob')\n")
    match = r"kube-apiserver ended with code 1: unknown flag: --frob"
    with pytest.raises(envtest.NotStarted, match=match), envtest.running(tmp_path, environ):
        pass
    assert [process.alive(pid) for pid in pids(environ)] == [False, False]
