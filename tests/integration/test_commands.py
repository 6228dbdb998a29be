"""Hooks, tasks and exec apps: what is run when, what is recorded of it, and what is never run twice."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Bench
from integration.test_apply import get
from integration.test_crash import _open_intents, _start, _until
from shapes import configmap, deployment
from web_server import serving

from sbkube.edges.cluster import HttpCluster


def trace(bench: Bench) -> list[str]:
    """What the commands of a test have written, in order."""
    path = bench.folder / "trace"
    return path.read_text().split() if path.exists() else []


def note(word: str) -> str:
    return f"echo {word} >> trace"


def page(bench: Bench, colour: str = "blue", **hooks: Any) -> dict[str, Any]:
    bench.write("m.yaml", [configmap("page", colour=colour)])
    return {"type": "yaml", "manifests": ["m.yaml"], **({"hooks": hooks} if hooks else {})}


def test_hooks_run_around_an_app_that_has_something_to_do(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("before.yaml", [configmap("before")])
    hooks = {
        "pre_deploy": [note("pre"), note("$SBKUBE_APP_NAME-$SBKUBE_HOOK_PHASE-$SBKUBE_APP_STATUS")],
        "post_deploy": f"kubectl get configmap page -n $SBKUBE_NAMESPACE -o name >/dev/null 2>&1; {note('post')}",
        "on_deploy_failure": note("failed"),
        "pre_deploy_manifests": "before.yaml",
        "pre_deploy_tasks": [
            {"type": "wait", "name": "seen", "resource": "configmap/before", "condition": "exists"}
        ],
    }
    bench.project({"web": page(bench, **hooks)})
    bench.ok("apply", "-y")
    assert trace(bench) == ["pre", "web-pre_deploy-pending", "post"]
    assert get(api_server, "ConfigMap", bench.namespace, "before")
    assert "nothing to do" in bench.ok("apply", "-y").out
    assert len(trace(bench)) == 3
    bench.project({"web": page(bench, "red", **hooks)})
    bench.ok("apply", "-y")
    assert len(trace(bench)) == 6
    bench.ok("delete", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "before") is None


def test_a_failing_hook_before_an_app_stops_it(bench: Bench, api_server: HttpCluster) -> None:
    hooks = {"pre_deploy": ["echo no way; exit 7"], "on_deploy_failure": note("$SBKUBE_APP_STATUS")}
    bench.project({"web": page(bench, **hooks), "other": {"type": "noop", "depends_on": ["web"]}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1 and "exit code 7" in ran.out + ran.err
    assert trace(bench) == ["failed"]
    assert get(api_server, "ConfigMap", bench.namespace, "page") is None
    shown = bench.ok("show", "latest").out
    assert "no way" in shown and "exit code 7" in shown


def test_a_failing_hook_after_an_app_is_a_recorded_warning(bench: Bench) -> None:
    bench.project({"web": page(bench, post_deploy=["echo oh; exit 3"])})
    ran = bench.ok("apply", "-y")
    assert "exit code 3" in ran.out + ran.err
    kinds = [event["kind"] for event in bench.ok("show", "latest", "-o", "json").json["events"]]
    assert "warning" in kinds and "command.output" in kinds


def test_exec_apps_run_each_time_and_are_no_pending_change(bench: Bench) -> None:
    bench.project({"job": {"type": "exec", "commands": [note("one"), note("two:$WORD")], "env": {"WORD": "x"}}})
    bench.ok("apply", "-y")
    bench.ok("apply", "-y")
    assert trace(bench) == ["one", "two:x", "one", "two:x"]
    assert bench.sbkube("plan", "--exit-status").code == 0
    assert "two" in bench.ok("plan").out
    assert trace(bench) == ["one", "two:x"] * 2
    bench.ok("apply", "--dry-run")
    assert len(trace(bench)) == 4


def test_hooks_of_apps_without_objects_run_each_time(bench: Bench) -> None:
    bench.project({"gate": {"type": "noop", "hooks": {"pre_deploy": note("gate")}}})
    bench.ok("apply", "-y")
    bench.ok("apply", "-y")
    assert trace(bench) == ["gate", "gate"]


def test_failing_commands_and_what_comes_after(bench: Bench) -> None:
    apps = {
        "job": {"type": "exec", "commands": [note("one"), "exit 1", note("never")]},
        "then": {"type": "exec", "commands": [note("never")], "depends_on": ["job"]},
        "beside": {"type": "exec", "commands": [note("beside")]},
    }
    bench.project(apps, on_failure="continue")
    assert bench.sbkube("apply", "-y").code == 1
    assert trace(bench) == ["one", "beside"]


def test_commands_get_the_cluster_and_none_of_our_secrets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBKUBE_STATE_KEY", bench.ok("state", "key").out.strip())
    monkeypatch.setenv("REPO_PASSWORD", "hidden-word-1")
    monkeypatch.setenv("OTHER_TOKEN", "hidden-word-2")
    command = "env > env.txt; ls -l $KUBECONFIG > mode.txt; echo said $OTHER_TOKEN $MINE_SECRET"
    job = {"type": "exec", "commands": [command], "env": {"MINE_SECRET": "hidden-word-3"}}
    repos = {"r": {"url": "https://127.0.0.1/r", "username": "u", "password": "${REPO_PASSWORD}"}}
    bench.project({"job": job}, helm_repos=repos)
    bench.ok("apply", "-y", "-v")
    env = dict(line.partition("=")[::2] for line in (bench.folder / "env.txt").read_text().splitlines())
    assert env["SBKUBE_APP_NAME"] == "job" and env["SBKUBE_COMMAND"] == "apply"
    assert env["KUBECONFIG"] == env["SBKUBE_KUBECONFIG"] and env["SBKUBE_DEPLOYMENT_ID"].startswith("dep-")
    assert not {"SBKUBE_STATE_KEY", "SBKUBE_STATE_URL", "REPO_PASSWORD"} & env.keys()
    assert env["OTHER_TOKEN"] == "hidden-word-2"
    assert (bench.folder / "mode.txt").read_text().startswith("-rw-------")
    for words in (("show", "latest"), ("show", "latest", "-o", "json"), ("plan",), ("plan", "-o", "json")):
        said = bench.ok(*words)
        assert "hidden-word" not in said.out + said.err
    bench.ok("plan", "--out", "saved")
    assert "hidden-word" not in (bench.folder / "saved").read_text()
    for path in Path(os.environ["SBKUBE_STATE_URL"]).parent.iterdir():
        assert path.is_dir() or b"hidden-word" not in path.read_bytes(), path


@pytest.mark.parametrize(
    "app",
    [
        {"type": "exec", "commands": ["touch trace"]},
        {"type": "hook", "tasks": [{"type": "validate", "name": "v", "command": "touch trace"}]},
        {
            "type": "noop",
            "hooks": {"pre_deploy_tasks": [{"type": "shell", "name": "s", "command": "touch trace"}]},
        },
    ],
)
def test_commands_can_be_forbidden(bench: Bench, monkeypatch: pytest.MonkeyPatch, app: dict[str, Any]) -> None:
    monkeypatch.setenv("SBKUBE_ALLOW_EXEC", "false")
    bench.project({"web": page(bench, post_deploy=["touch trace"]), "job": app})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "SBKUBE_ALLOW_EXEC" in ran.err
    assert not (bench.folder / "trace").exists()
    assert bench.ok("history", "-o", "json").json["deployments"] == []


def test_tasks_of_every_type(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("t.yaml", [configmap("from-file")])
    with serving() as site:
        site.files["/ok"] = b"fine"
        tasks = [
            {"type": "command", "name": "last", "command": note("last"), "dependency": {"depends_on": ["look"]}},
            {"type": "manifests", "name": "files", "files": ["t.yaml"]},
            {
                "type": "inline",
                "name": "inline",
                "content": deployment("one"),
                "validation": {"kind": "Deployment", "name": "one", "wait_for_ready": True, "timeout": 60},
            },
            {"type": "wait", "name": "there", "resource": "deployment/one", "condition": "available"},
            {
                "type": "validate",
                "name": "look",
                "command": "test -f again || { touch again; exit 1; }; echo all is well",
                "expected": "is well",
                "retry": 3,
                "retry_delay": 0.1,
                "dependency": {"wait_for": [{"kind": "Pod", "label_selector": "app=one"}]},
            },
            {"type": "http", "name": "ask", "url": f"{site.url}/ok"},
            {"type": "http", "name": "ask-not", "url": f"{site.url}/none", "expected_status": [404, 410]},
            {"type": "shell", "name": "weak", "command": "exit 1", "on_failure": "warn"},
            {"type": "shell", "name": "gone", "command": "exit 1", "on_failure": "ignore"},
        ]
        bench.project({"setup": {"type": "hook", "tasks": tasks}}, timeout=60)
        document = bench.ok("apply", "-y", "-o", "json").json
    names = [r["name"] for r in document["deployment"]["resources"]]
    assert names.index("setup.last") > names.index("setup.look")
    assert {"from-file", "one", "setup.ask", "setup.ask-not", "setup.inline.validation"} <= set(names)
    assert trace(bench) == ["last"]
    assert get(api_server, "Deployment", bench.namespace, "one", "apps")
    bench.ok("rollback", "-y")
    assert get(api_server, "Deployment", bench.namespace, "one", "apps") is None


def test_rolling_back_runs_what_undoes_a_task(bench: Bench, api_server: HttpCluster) -> None:
    undo = {"commands": [note("undone"), note("twice")]}
    task = {"type": "command", "name": "make", "command": note("made"), "rollback": undo}
    bench.project({"setup": {"type": "hook", "tasks": [task]}})
    bench.ok("apply", "-y")
    bench.ok("rollback", "-y")
    assert trace(bench) == ["made", "undone", "twice"]
    bench.ok("apply", "-y")
    undo["commands"] = [note("other")]
    bench.project({"setup": {"type": "hook", "tasks": [task]}})
    ran = bench.sbkube("rollback", "-y")
    assert ran.code == 3 and "does not hold the command" in ran.err
    assert trace(bench)[-1] == "made"


def test_a_failed_run_undoes_only_what_may_be_undone_by_itself(bench: Bench) -> None:
    def task(when: str) -> dict[str, Any]:
        undo = {"commands": [note(f"undo-{when}")], "on_failure": when}
        return {"type": "command", "name": when, "command": note(when), "rollback": undo}

    tasks = [task("always"), task("manual"), task("never"), {"type": "shell", "name": "no", "command": "exit 1"}]
    bench.project({"setup": {"type": "hook", "tasks": tasks}}, on_failure="rollback")
    assert bench.sbkube("apply", "-y").code == 1
    assert trace(bench) == ["always", "manual", "never", "undo-always"]


def slow(bench: Bench) -> None:
    commands = [note("one"), f"{note('begun')}; test -f go || sleep 60; {note('ended')}", note("three")]
    bench.project({"web": page(bench), "job": {"type": "exec", "commands": commands, "depends_on": ["web"]}})


def test_a_command_that_was_cut_off_is_run_again_only_if_somebody_says_so(bench: Bench) -> None:
    slow(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: "begun" in trace(bench))
    run.kill()
    run.communicate()
    (bench.folder / "go").touch()
    refused = bench.sbkube("resume", "-y")
    assert refused.code == 3 and "cut off" in refused.err and "--rerun job.2" in refused.err
    assert trace(bench) == ["one", "begun"]
    assert _open_intents() == 0
    assert bench.sbkube("resume", "-y", "--rerun", "job.1").code == 2
    bench.ok("resume", "-y", "--rerun", "job.2")
    assert trace(bench) == ["one", "begun", "begun", "ended", "three"]
    assert [d["status"] for d in bench.ok("history", "-o", "json").json["deployments"]] == [
        "success",
        "interrupted",
    ]
    assert bench.ok("resume").out.startswith("Nothing to resume")


def test_a_command_that_was_cut_off_can_be_left_out(bench: Bench) -> None:
    slow(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: "begun" in trace(bench))
    run.kill()
    run.communicate()
    time.sleep(0.2)
    bench.ok("resume", "-y", "--skip", "job.2")
    assert trace(bench) == ["one", "begun", "three"]


def test_resume_runs_only_what_the_project_holds(bench: Bench) -> None:
    slow(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: "begun" in trace(bench))
    run.kill()
    run.communicate()
    bench.project({"web": page(bench), "job": {"type": "exec", "commands": [note("else")], "depends_on": ["web"]}})
    refused = bench.sbkube("resume", "-y", "--rerun", "job.2")
    assert refused.code == 3 and "does not hold this command any more" in refused.err
    assert trace(bench) == ["one", "begun"]


def test_hooks_of_the_project_and_of_a_phase(bench: Bench) -> None:
    inner = {
        "apiVersion": "sbkube/v1",
        "hooks": {"deploy": {"pre": [note("inner-pre")], "post": [note("inner-post")]}},
        "apps": {"job": {"type": "exec", "commands": [note("inner")]}},
    }
    bench.write("inner/sbkube.yaml", inner)
    document = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": bench.namespace},
        "settings": {"namespace": bench.namespace},
        "hooks": {
            "deploy": {"pre": [note("pre")], "post": [note("post")], "on_failure": [note("failed")]},
            "apply": {"pre": [note("first")], "post": [note("last")]},
        },
        "apps": {"job": {"type": "exec", "commands": ["test -f inner/no && exit 1; " + note("own")]}},
        "phases": {"inner": {"source": "inner"}},
    }
    bench.write("sbkube.yaml", document)
    bench.ok("apply", "-y")
    inside = (bench.folder / "inner" / "trace").read_text().split()
    assert trace(bench) == ["first", "pre", "own", "post", "last"]
    assert inside == ["inner-pre", "inner", "inner-post"]
    (bench.folder / "inner" / "no").touch()
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 1 and trace(bench)[-1] == "failed"
    apps = {app["name"]: app["status"] for app in bench.ok("show", "-o", "json").json["apps"]}
    assert apps["(hooks after)"] == "pending" and "(hooks after)  1 command run" in ran.out


def test_actions(bench: Bench, api_server: HttpCluster) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    api_server.create(space, manager="kubectl")
    for name in ("foreign", "unwanted"):
        body = configmap(name, old="1")
        body["metadata"]["namespace"] = bench.namespace
        api_server.create(body, manager="kubectl")
    bench.write("own.yaml", [configmap("own", colour="blue")])
    bench.write("once.yaml", [configmap("once", colour="blue")])
    bench.write("patch.yaml", [configmap("foreign", new="2")])
    bench.write("gone.yaml", [configmap("unwanted"), configmap("never-there")])
    actions = [
        {"type": "apply", "path": "own.yaml"},
        {"type": "create", "path": "once.yaml"},
        {"type": "patch", "path": "patch.yaml"},
        {"type": "delete", "path": "gone.yaml"},
    ]
    bench.project({"steps": {"type": "action", "actions": actions}})
    assert "2 created, 1 patched, 1 deleted" in bench.ok("apply", "-y").out

    def data(name: str) -> dict[str, str] | None:
        found = get(api_server, "ConfigMap", bench.namespace, name)
        return found["data"] if found else None

    assert data("own") == data("once") == {"colour": "blue"}
    assert data("foreign") == {"old": "1", "new": "2"} and data("unwanted") is None
    assert bench.sbkube("plan", "--exit-status").code == 0
    bench.write("once.yaml", [configmap("once", colour="red")])
    bench.write("own.yaml", [configmap("own", colour="red")])
    bench.ok("apply", "-y")
    assert data("own") == {"colour": "red"} and data("once") == {"colour": "blue"}
    first = bench.ok("history", "-o", "json").json["deployments"][-1]["deployment_id"]
    bench.ok("rollback", first, "-y")
    assert data("own") is None and data("once") is None
    assert data("foreign") == {"old": "1"} and data("unwanted") == {"old": "1"}
    bench.ok("apply", "-y")
    bench.ok("delete", "-y")
    assert data("foreign") == {"old": "1", "new": "2"} and data("own") is None


def test_what_undoes_a_task_may_be_manifests_and_belong_to_objects(bench: Bench, api_server: HttpCluster) -> None:
    bench.write("back.yaml", [configmap("back", state="restored")])
    undo = {"manifests": ["back.yaml"], "commands": [note("undone")]}
    content = configmap("one")
    tasks = [{"type": "inline", "name": "make", "content": content, "rollback": undo}]
    bench.project({"setup": {"type": "hook", "tasks": tasks}})
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "one")
    bench.ok("rollback", "-y")
    assert trace(bench) == ["undone"]
    assert get(api_server, "ConfigMap", bench.namespace, "one") is None
    restored = get(api_server, "ConfigMap", bench.namespace, "back")
    assert restored and restored["data"] == {"state": "restored"}
    bench.project({"other": {"type": "noop"}})
    bench.ok("apply", "-y")
    assert get(api_server, "ConfigMap", bench.namespace, "back")  # nobody's to prune


def test_a_record_cannot_say_where_a_command_runs(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folder that a plan was recorded with is not the one in which `resume` runs its commands."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    slow(bench)
    run = _start(bench, "apply", "-y")
    _until(lambda: "begun" in trace(bench))
    run.kill()
    run.communicate()
    (bench.folder / "go").touch()
    bench.folder.rename(elsewhere / "moved")
    bench.folder = elsewhere / "moved"
    bench.ok("resume", "-y", "--rerun", "job.2", "--same-project")
    assert trace(bench)[-2:] == ["ended", "three"]


def test_an_action_deletes_nothing_that_may_hold_data(bench: Bench, api_server: HttpCluster) -> None:
    api_server.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}, manager="x"
    )
    bench.write("gone.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}})
    bench.project({"steps": {"type": "action", "actions": [{"type": "delete", "path": "gone.yaml"}]}})
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3 and "may hold data" in ran.err
    assert get(api_server, "Namespace", "", bench.namespace)


def test_a_command_is_either_run_again_or_left_out(bench: Bench) -> None:
    bench.project({"a": {"type": "exec", "commands": ["true"]}})
    ran = bench.sbkube("resume", "--rerun", "a.1", "--skip", "a.1")
    assert ran.code == 2 and "not both" in ran.err


def test_a_patch_sets_its_fields_and_no_others(bench: Bench, api_server: HttpCluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
    web = deployment("web")
    bodies = (configmap("ext", v="orig", w="1"), {**secret, "stringData": {"pw": "orig", "other": "keep"}}, web)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bench.namespace}}
    api_server.create(space, manager="kubectl-create")
    for body in bodies:
        placed = {**body, "metadata": {**body["metadata"], "namespace": bench.namespace}}
        api_server.create(placed, manager="kubectl-create")
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2},
    }
    bench.write("patch.yaml", [configmap("ext", v="new"), {**secret, "stringData": {"pw": "new"}}, replicas])
    bench.project({"s": {"type": "action", "actions": [{"type": "patch", "path": "patch.yaml"}]}})

    def seen() -> tuple[Any, ...]:
        found = [
            get(api_server, kind, bench.namespace, name)
            for kind, name in (("ConfigMap", "ext"), ("Secret", "login"))
        ]
        web = get(api_server, "Deployment", bench.namespace, "web", "apps")
        assert found[0] and found[1] and web
        secrets = {name: base64.b64decode(value).decode() for name, value in found[1]["data"].items()}
        return found[0]["data"], secrets, web["spec"]["replicas"]

    before = seen()
    bench.ok("apply", "-y")
    patched = ({"v": "new", "w": "1"}, {"pw": "new", "other": "keep"}, 2)
    assert seen() == patched
    assert bench.ok("plan", "--exit-status").code == 0
    bench.ok("rollback", "-y")
    assert seen() == before
    bench.ok("apply", "-y")
    assert seen() == patched
    bench.ok("delete", "-y")
    assert seen()[0]["w"] == "1"
