"""Acting at the page of `sbkube serve`: who may, what is shown first, what is done, and what is refused."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_crash import _start, _until
from integration.test_rollback_forms import data, deploy, edit, web
from shapes import configmap, deployment

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from sbkube.api import Actions, Where, open_browser
from sbkube.edges.cluster import HttpCluster
from sbkube.models.deployment_state import DeploymentRecord, LockTarget
from sbkube.state.database import DeploymentDatabase
from sbkube.state.tracker import DeploymentTracker
from sbkube.web.door import Door, Rules
from sbkube.web.server import application

HOSTILE = '<script>alert("x")</script>'
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


@dataclass
class Person:
    """Somebody with a browser."""

    client: TestClient

    def get(self, path: str, status: int = 200, **asked: str) -> str:
        """A page, which must come with this status."""
        return self._checked(self.client.get(path, params=asked or None), status)

    def post(self, path: str, status: int = 200, **form: str) -> str:
        """The page that a form leads to."""
        seal = re.search(r'name="seal" value="([0-9a-f]{64})"', self.client.get("/").text)
        assert seal is not None
        return self._checked(self.client.post(path, data={"seal": seal[1], **form}), status)

    def _checked(self, answer: Any, status: int) -> str:
        text = str(answer.text)
        assert answer.status_code == status, text
        assert HOSTILE not in text and "swordfish" not in text and "c3dvcmRmaXNo" not in text
        assert "style=" not in text and " onclick" not in text
        return html.unescape(text)

    def plan(self, record: str, command: str = "rollback", status: int = 200, **consents: str) -> str:
        """The page of a plan."""
        return self.post("/plan", status, command=command, deployment=record, **consents)

    def agree(self, page: str, confirm: str, status: int = 200) -> str:
        """Agree to the plan of a page."""
        digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
        assert digest is not None, page
        return self.post("/execute", status, digest=digest[1], confirm=confirm)

    def ended(self, page: str) -> str:
        """The page of a deployment when that has ended."""
        name = re.search(r"<h1>(dep-\S+)", page)
        assert name is not None, page
        _until(lambda: "data-live" not in self.client.get("/deployment", params={"id": name[1]}).text)
        return self.get("/deployment", id=name[1])


@dataclass
class Desk:
    """A server that may act, and those who come to it."""

    client: TestClient
    door: Door
    actions: Actions
    told: list[BaseException] = field(default_factory=list)

    def visitor(self, *, acts: bool = True, address: str = "127.0.0.1", **headers: str) -> Person:
        """Who has opened one of the addresses; none with `headers` of a proxy."""
        found = TestClient(self.client.app, "http://127.0.0.1:8384", client=(address, 1), headers={**headers})
        if not headers:
            assert found.get(f"/login?token={self.door.invite(acts=acts)}").status_code == 200
        return Person(found)


@pytest.fixture
def serving(bench: Bench) -> Iterator[Callable[[], Any]]:
    """Makes a server, when the project is there."""

    @contextmanager
    def made() -> Iterator[Desk]:
        told: list[BaseException] = []
        where = Where(kubeconfig=str(bench.config))
        actions = Actions([str(bench.folder)], where=where, tell=told.append)
        rules = Rules(proxies=("10.0.0.0/8",), identity_header="x-user", acting=True, actors=frozenset({"ann<b>"}))
        door, browser = Door(rules), open_browser(actions.state_url)
        app = application(browser, door, lambda acts: None, actions)
        with TestClient(app, "http://127.0.0.1:8384") as client:
            yield Desk(client, door, actions, told)
        actions.close()
        browser.close()
        assert told == []

    yield made


def _record(name: str = "latest") -> DeploymentRecord:
    database = DeploymentDatabase()
    try:
        return database.get_deployment(name) if name != "latest" else database.list_deployments(limit=1)[0]
    finally:
        database.close()


def _two(bench: Bench) -> str:
    """Two deployments; gives the second one's id."""
    first = SECRET | {"stringData": {"p": "swordfish-1"}}
    deploy(bench, configmap("a", x=HOSTILE), configmap("gone", x="1"), first)
    return deploy(
        bench, configmap("a", x="2"), configmap("new", x="1"), first | {"stringData": {"p": "swordfish-2"}}
    )


def test_a_rollback_is_shown_agreed_to_and_recorded(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        person = desk.visitor(address="10.1.2.3", **{"x-user": "ann<b>"})
        assert "Roll back to before it" in person.get("/deployment", id=second)
        page = person.plan(second)
        for word in ("ConfigMap/new", "delete", "ConfigMap/gone", "create", "2 to change", "(masked", HOSTILE):
            assert word in page
        assert "recorded as done by ann<b>" in page
        assert data(api_server, bench, "a") == {"x": "2"}
        shown = person.ended(person.agree(page, bench.namespace))
        assert f"sbkube serve: rollback {second}" in shown and "success" in shown
        assert data(api_server, bench, "a") == {"x": HOSTILE} and data(api_server, bench, "new") is None
        assert data(api_server, bench, "gone") == {"x": "1"}
        record = _record()
        assert (record.operator, record.command, record.parent) == ("ann<b>", "rollback", second)
        digest = (record.command_args or {})["plan"]
        assert digest in page and f'agreed to on the page: <code class="long">{digest}<' in shown
        assert re.findall(r"\b[0-9a-f]{64}\b", shown.split("<main")[1].split("<section")[0]) == [digest]
        assert "has deployed" in person.agree(page, bench.namespace, 409)
    assert bench.ok("state", "verify").code == 0


def test_going_back_to_what_a_deployment_left(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    first = deploy(bench, configmap("a", x="1"))
    deploy(bench, configmap("a", x="2"))
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(first, to="1")
        assert f"rollback --to {first}" in page
        person.ended(person.agree(page, f" {bench.namespace} "))
        assert data(api_server, bench, "a") == {"x": "1"}
        assert _record().operator == _record(first).operator  # without a name: who has started the server
        assert "Nothing: everything is as it would be" in person.plan(first, to="1")


def test_who_only_reads_has_no_buttons_and_is_refused(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        digest = re.findall(r"[0-9a-f]{64}", desk.visitor().plan(second))[0]
        proxied = desk.visitor(address="10.1.2.3", **{"x-user": "bob"})
        for person in (desk.visitor(acts=False), proxied):
            pages = [person.get("/"), person.get("/deployment", id=second)]
            link = re.findall(r'href="(/project[^"]+)"', pages[0])[0]
            for page in (*pages, person.get(link)):
                assert re.findall(r'<form[^>]*method="post" action="([^"]*)"', page) == ["/logout"]
            person.plan(second, status=403)
            person.post("/look", 403, deployment=second)
            person.post("/execute", 403, digest=digest, confirm=bench.namespace)
            assert "only reads" in person.get("/plan", 403, digest=digest)
        stranger = desk.visitor(address="192.0.2.1", **{"x-user": "ann<b>"})
        assert stranger.client.post("/plan").status_code == 401
        for path in ("/execute", "/look"):
            assert desk.visitor().client.get(path).status_code == 405
    assert data(api_server, bench, "a") == {"x": "2"}


def test_without_actions_there_is_nothing_to_post_to(bench: Bench) -> None:
    second = _two(bench)
    door, browser = Door(Rules()), open_browser()
    with TestClient(application(browser, door, lambda acts: None), "http://127.0.0.1") as client:
        person = Person(client)
        assert client.get(f"/login?token={door.invite()}").status_code == 200
        assert "/plan" not in person.get("/deployment", id=second) and "/project" not in person.get("/")
        person.plan(second, status=404)
        person.get("/project", 404)
        client.cookies.clear()
        assert client.get(f"/login?token={door.invite(acts=True)}").status_code == 200
        person.plan(second, status=404)
    browser.close()


def test_forms_of_others_do_nothing(bench: Bench, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        person, other = desk.visitor(), desk.visitor()
        seals = [re.findall(r'name="seal" value="(\w+)"', one.get("/"))[0] for one in (person, other)]
        assert seals[0] != seals[1]
        form = {"command": "rollback", "deployment": second}
        for seal in ({}, {"seal": seals[1]}, {"seal": "é"}):
            assert person.client.post("/plan", data=form | seal).status_code == 403
        for _ in range(7):
            assert person.client.post("/plan", data=form).status_code == 403
        assert person.client.post("/plan", data=form | {"seal": seals[0]}).status_code == 429
        assert person.client.post("/plan", content="x" * 70_000).status_code == 400


def test_wrong_addresses_to_act_are_slowed_down(bench: Bench, serving: Any) -> None:
    _two(bench)
    with serving() as desk:
        token = desk.door.invite(acts=True)
        for _ in range(10):
            assert desk.client.get(f"/login?token={token[:-1]}").status_code == 403
        assert desk.client.get(f"/login?token={token[:-1]}").status_code == 429
        assert desk.client.get(f"/login?token={token}").status_code == 200


def test_it_must_be_confirmed(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(second)
        for wrong in ("", "x", HOSTILE):
            again = person.agree(page, wrong, 400)
            assert 'role="alert"' in again and f"that is not {bench.namespace}" in again
        assert _record().deployment_id == second


def test_a_plan_that_does_not_fit_any_more_is_refused(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(second)
        edit(api_server, bench, configmap("a", theirs=HOSTILE))
        refused = person.agree(page, bench.namespace, 409)
        assert "the live object has changed since: data.theirs" in refused and "Make a new plan" in refused
        assert _record().deployment_id == second and data(api_server, bench, "new") == {"x": "1"}
        person.ended(person.agree(person.plan(second), bench.namespace))
        assert data(api_server, bench, "a") == {"x": HOSTILE, "theirs": HOSTILE}
        assert "not kept any more" in person.post("/execute", 409, digest="0" * 64, confirm=bench.namespace)


def test_what_others_changed_wants_a_consent(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    edit(api_server, bench, configmap("a", x="theirs"))
    with serving() as desk:
        person = desk.visitor()
        refused = person.plan(second, status=409)
        assert "needs a decision" in refused and "ConfigMap/a" in refused and 'name="force"' in refused
        assert 'name="delete_data"' not in refused
        page = person.plan(second, force="on")
        assert f"rollback {second} --force" in page
        person.ended(person.agree(page, bench.namespace))
        assert data(api_server, bench, "a") == {"x": HOSTILE}


def test_another_cluster_and_another_project_are_refused(bench: Bench, serving: Any) -> None:
    second = _two(bench)
    database, mine = DeploymentDatabase(), _record()
    common = {"app_config_dir": "/p", "config_file_path": "/p/x", "command": "apply", "config_snapshot": {}}
    for name, project, uid in (("there", mine.project, "u-2"), ("other", HOSTILE, mine.cluster_uid)):
        database.create_deployment(
            {**common, "deployment_id": name, "project": project, "namespace": mine.namespace,
             "cluster": "prod<b>", "cluster_uid": uid}
        )  # fmt: skip
        database.update_deployment_status(database.get_deployment(name).id, "success")
    database.close()
    with serving() as desk:
        person = desk.visitor()
        refused = person.plan("there", status=409)
        assert "was made on prod<b> (u-2)" in refused and "--context" in refused
        assert "Roll back" not in person.get("/deployment", id="other")
        assert "does not act on" in person.plan("other", status=409)
        assert "was made on prod<b>" in person.post("/look", 409, deployment="there")
        person.plan("no-such", status=404)
        person.plan(second, "delete", 400)


def test_a_cluster_that_does_not_answer_is_said(bench: Bench, serving: Any) -> None:
    second = _two(bench)
    bench.config = bench.write(
        "away", re.sub(r"https://[^\s\"]+", "https://127.0.0.1:1", bench.config.read_text())
    )
    with serving() as desk:
        assert "Nothing was done" in desk.visitor().plan(second, status=503)


def test_who_deploys_already_is_named(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    record, tracker = _record(), DeploymentTracker()
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(second)
        lock = tracker.acquire(LockTarget(record.project, record.cluster_uid, record.namespace), "apply")
        for refused in (person.agree(page, bench.namespace, 409), person.plan(second, status=409)):
            assert "Nothing was done" in refused and "apply" in refused and f"pid {lock.pid}" in refused
        tracker.release(lock)
        assert _record().deployment_id == second
        person.ended(person.agree(page, bench.namespace))
    tracker.close()


def test_a_release_goes_back(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    web(bench, "one")
    second = web(bench, "two")
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(second)
        assert "helm rollback to revision 1 (now 2)" in page and "ConfigMap/web-page" in page
        person.ended(person.agree(page, bench.namespace))
    assert data(api_server, bench, "web-page") == {"greeting": "one"}


def test_without_a_key_what_is_secret_cannot_be_agreed_to(
    bench: Bench, postgres_url: str, monkeypatch: pytest.MonkeyPatch, serving: Any
) -> None:
    monkeypatch.setenv("SBKUBE_STATE_URL", postgres_url)
    deploy(bench, configmap("a", x="1"))
    plain = deploy(bench, configmap("a", x="2"))
    with serving() as desk:
        person = desk.visitor()
        person.ended(person.agree(person.plan(plain), bench.namespace))
        secret = deploy(bench, configmap("a", x="1"), SECRET | {"stringData": {"p": "swordfish-1"}})
        refused = person.plan(secret, status=503)
        assert "Nothing was done" in refused and "set SBKUBE_STATE_KEY" in refused and "`" not in refused


def test_families_are_for_the_terminal(bench: Bench, serving: Any) -> None:
    inner = {"apiVersion": "sbkube/v1", "metadata": {"name": "inner"}, "apps": {"none": {"type": "noop"}}}
    bench.write("inner/sbkube.yaml", inner)
    bench.write("m.yaml", [configmap("a", x="1")])
    bench.project({})
    project = (bench.folder / "sbkube.yaml").read_text().replace("apps: {}", "")
    bench.write("sbkube.yaml", f"{project}phases: {{one: {{source: inner/sbkube.yaml}}}}\n")
    bench.ok("apply", "-y")
    with serving() as desk:
        own = next(r for r in desk.client.app.state.browser.newest() if r.project == bench.namespace)
        refused = desk.visitor().plan(own.deployment_id, status=409)
        assert "has other projects or contexts in it" in refused and "command line" in refused
        assert "Make a new plan" not in refused and 'name="force"' not in refused
        shown = desk.visitor().get("/deployment", id=own.deployment_id)
        assert "Roll back to" not in shown and "There is nothing to press here" in shown
        part = next(r for r in desk.client.app.state.browser.newest() if r.project == "inner")
        shown = desk.visitor().get("/deployment", id=part.deployment_id)
        assert f"inner is part of {bench.namespace}: they are planned together" in shown
        assert "/project" not in desk.visitor().get("/")


def test_plans_with_commands_are_for_the_terminal(bench: Bench, serving: Any) -> None:
    trace = bench.folder / "trace"
    task = {"type": "command", "name": "t", "command": "true", "rollback": {"commands": [f"touch {trace}"]}}
    bench.project({"gate": {"type": "noop", "hooks": {"pre_deploy_tasks": [task]}}})
    made = str(bench.ok("apply", "-y", "-o", "json").json["deployment"]["deployment_id"])
    with serving() as desk:
        refused = desk.visitor().plan(made, status=409)
        assert (
            "Make a new plan" not in refused
            and "runs commands" in refused
            and f"touch {trace}" in refused
            and f"sbkube rollback {made}" in refused
        )
    assert not trace.exists() and _record().deployment_id == made


def _slow(bench: Bench, seconds: str) -> None:
    bench.write("m.yaml", [configmap("first", x="1"), deployment("slow", ready_after=seconds)])
    bench.write("n.yaml", [configmap("second", x="1")])
    first = {"type": "yaml", "manifests": ["m.yaml"]}
    bench.project(
        {"first": first, "second": {**first, "manifests": ["n.yaml"], "depends_on": ["first"]}}, timeout=60
    )


def _cut_off(bench: Bench, server: HttpCluster, seconds: str) -> str:
    """A deployment that is killed while it waits so many seconds; gives its id."""
    _slow(bench, seconds)
    run = _start(bench, "apply", "-y")
    _until(lambda: data(server, bench, "first"))
    run.kill()
    run.communicate()
    return _record().deployment_id


def test_an_interrupted_deployment_is_gone_on_with(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    cut_off = _cut_off(bench, api_server, "3")
    with serving() as desk:
        person = desk.visitor()
        shown = person.get("/deployment", id=cut_off)
        assert "Go on with it" in shown and "in progress" not in shown and " planned" in shown
        for found in (shown, person.get("/"), person.get("/?status=interrupted")):
            assert "s-interrupted" in found and cut_off in found and "s-in_progress" not in found
        assert "No deployments" in person.get("/?status=in_progress")
        assert f'project="{bench.namespace}",status="interrupted"}} 1' in person.get("/metrics")
        page = person.plan(cut_off, "resume")
        assert "ConfigMap/second" in page and data(api_server, bench, "second") is None
        assert "interrupted" in person.get("/deployment", id=cut_off)
        shown = person.ended(person.agree(page, bench.namespace))
        assert "success" in shown and data(api_server, bench, "second") == {"x": "1"}
        assert (_record().command, _record().parent) == ("resume", cut_off)
        assert "Go on with it" not in person.get("/deployment", id=cut_off)
        assert f"was made after {cut_off}" in person.plan(cut_off, "resume", 409)
        assert "nothing is left to resume" in person.plan(_record().deployment_id, "resume", 409)


def test_a_stop_leaves_what_can_be_gone_on_with(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    cut_off = _cut_off(bench, api_server, "60")
    with serving() as desk:
        person = desk.visitor()
        page = person.plan(cut_off, "resume")
        assert "data-live" in person.agree(page, bench.namespace) and desk.actions.busy
        assert "resume" in person.agree(page, bench.namespace, 409)
        desk.actions.close()
        assert _record().status == "interrupted" and not desk.actions.busy
        assert "is being stopped" in person.agree(page, bench.namespace, 503)
        assert "Go on with it" in person.get("/deployment", id=_record().deployment_id)


def test_what_ends_a_run_is_told_in_the_terminal(
    bench: Bench, api_server: HttpCluster, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBKUBE_LOCK_SECONDS", "3")
    cut_off = _cut_off(bench, api_server, "60")
    with serving() as desk:
        person = desk.visitor()
        person.agree(person.plan(cut_off, "resume"), bench.namespace)
        bench.ok("recover", "--break-lock", "-y")
        _until(lambda: desk.told)
        assert "lock was taken" in str(desk.told.pop())


def test_a_run_that_fails_undoes_itself_without_commands(
    bench: Bench, api_server: HttpCluster, serving: Any
) -> None:
    trace = bench.folder / "trace"
    undo = {"commands": [f"touch {trace}"], "on_failure": "always"}
    task = {"type": "command", "name": "t", "command": "true", "rollback": undo}
    bench.write("m.yaml", [configmap("first", x="1"), deployment("slow", ready_after="60")])
    web = {"type": "yaml", "manifests": ["m.yaml"], "hooks": {"pre_deploy_tasks": [task]}}
    bench.project({"web": web}, timeout=4, on_failure="rollback")
    run = _start(bench, "apply", "-y")
    _until(lambda: data(api_server, bench, "first"))
    run.kill()
    run.communicate()
    with serving() as desk:
        person = desk.visitor()
        person.ended(person.agree(person.plan(_record().deployment_id, "resume"), bench.namespace))
        _until(lambda: not desk.actions.busy)
    assert (_record().command, _record().status) == ("resume", "failed")
    assert not trace.exists() and data(api_server, bench, "first") == {"x": "1"}


def test_drift_is_looked_for_and_shown(bench: Bench, api_server: HttpCluster, serving: Any) -> None:
    second = _two(bench)
    with serving() as desk:
        person, reader = desk.visitor(), desk.visitor(acts=False)
        assert "not looked at" in person.get("/")
        shown = person.post("/look", deployment=second)
        assert "no drift: 4 objects looked at<" in shown and ">healthy<" in shown
        edit(api_server, bench, configmap("a", x=HOSTILE))
        edit(api_server, bench, SECRET | {"stringData": {"p": "swordfish-3"}})
        shown = person.post("/look", deployment=second)
        for word in (
            "drift: 2 not as we left it",
            "ConfigMap/a",
            "data.x",
            "anna",
            "(masked",
            "Look at the cluster",
        ):
            assert word in shown
        link = re.findall(r'href="(/project[^"]+)"', reader.get("/"))[0]
        assert ">drift</span>" in reader.get("/") and "ConfigMap/a" in reader.get(link)
