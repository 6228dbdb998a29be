"""Command lines in, exit codes and text out; behind it stands a front door made for tests."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from fake_api import FakeApi

from sbkube.cli.main import ENTRIES, main, wanted_format
from sbkube.errors import ClusterUnreachable, StateLocked
from sbkube.models.deployment_state import DeploymentStatus
from sbkube.models.plan import Effect


class Tty(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


class Run:
    """What came of one command line."""

    def __init__(self, code: int, out: str, err: str, api: FakeApi) -> None:
        self.code, self.out, self.err, self.api = code, out, err, api

    @property
    def executed(self) -> bool:
        return any(call[0] == "execute" for call in self.api.calls)


@pytest.fixture
def sbkube(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(line: str, *, answer: str | None = None, api: FakeApi | None = None, **environ: str) -> Run:
        monkeypatch.setattr(sys, "stdin", io.StringIO() if answer is None else Tty(answer))
        api = api or FakeApi()
        code = main(line.split(), load_api=api, environ={"HOME": str(tmp_path), **environ})
        out, err = capsys.readouterr()
        return Run(code, out, err, api)

    return run


def test_apply_shows_the_plan_and_sums_up(sbkube: Any) -> None:
    run = sbkube("apply")
    assert run.code == 0 and run.executed
    assert "- " in run.out and "replicas: 3" in run.out
    assert "0 to create, 2 to change, 0 to delete, 0 unchanged" in run.out
    assert "recorded as dep-20260501120000-0a1b2c3d" in run.out
    assert "web: waiting for Deployment/web in shop: 0 of 1 ready" in run.err


@pytest.mark.parametrize(
    "line", ["apply", "apply -o json", "diff", "diff -o yaml", "diff -o llm", "apply --dry-run"]
)
def test_secret_values_are_never_shown(sbkube: Any, line: str) -> None:
    run = sbkube(line)
    assert "aHVudGVy" not in run.out + run.err
    assert "masked" in run.out or line == "apply -o json"


def test_a_failed_run_exits_1_and_names_the_culprit(sbkube: Any) -> None:
    api = FakeApi()
    api.ends = DeploymentStatus.FAILED
    run = sbkube("apply", api=api)
    assert run.code == 1
    assert "Pod/web-1 in shop, container app: ImagePullBackOff: not found" in run.out
    assert "sbkube show dep-" in run.out


@pytest.mark.parametrize(
    ("line", "answer", "code", "executed"),
    [
        ("apply", None, 2, False),
        ("apply -y", None, 0, True),
        ("-y apply", None, 0, True),
        ("apply", "y\n", 0, True),
        ("apply", "n\n", 3, False),
        ("apply", "", 3, False),
        ("apply --dry-run", None, 0, False),
        ("deploy", None, 2, False),
        ("delete", None, 2, False),
        ("delete -y", None, 0, True),
        ("destroy --yes", None, 0, True),
        ("rollback", None, 2, False),
        ("rollback -y", None, 0, True),
        ("apply -o json", None, 2, False),
    ],
)
def test_consent_where_something_is_taken_away(
    sbkube: Any, line: str, answer: str | None, code: int, executed: bool
) -> None:
    api = FakeApi()
    api.effect = Effect.DELETE
    run = sbkube(line, answer=answer, api=api)
    assert (run.code, run.executed) == (code, executed), run.err


def test_apply_without_deletions_does_not_ask(sbkube: Any) -> None:
    assert sbkube("apply").executed


def test_nothing_to_do_is_recorded_too(sbkube: Any) -> None:
    api = FakeApi()
    api.effect = Effect.UNCHANGED
    run = sbkube("apply", api=api)
    assert run.code == 0 and run.executed and "1 unchanged" in run.out


def test_exit_status_of_diff(sbkube: Any) -> None:
    assert sbkube("diff").code == 0
    assert sbkube("diff --exit-status").code == 10
    assert sbkube("plan --exit-status").code == 10
    api = FakeApi()
    api.effect = Effect.UNCHANGED
    assert sbkube("diff --exit-status", api=api).code == 0


@pytest.mark.parametrize(
    "line", ["-o json --app web -n prod diff", "diff -o json --app web -n prod", "-o json diff --app web -n prod"]
)
def test_common_options_before_or_after_the_command(sbkube: Any, line: str) -> None:
    run = sbkube(line)
    assert json.loads(run.out)["schema"] == "sbkube/diff/v1"
    assert ("plan", ("web",)) in run.api.calls
    assert run.api.calls[0][2] == "prod"


def test_options_of_both_sides_add_up(sbkube: Any) -> None:
    run = sbkube("--app a -o yaml diff --app b -o json")
    assert ("plan", ("a", "b")) in run.api.calls
    assert json.loads(run.out)


@pytest.mark.parametrize(
    "line",
    [
        "apply",
        "apply --dry-run",
        "diff",
        "status",
        "history",
        "show latest",
        "rollback -y",
        "rollback --list",
        "delete -y",
        "template",
        "validate",
        "recover",
        "doctor",
        "version",
        "init new",
        "sandbox up",
        "sandbox down",
        "sandbox status",
        "sandbox kubeconfig",
        "sandbox reset -y",
    ],
)
def test_machine_formats_write_exactly_one_document(sbkube: Any, line: str) -> None:
    name = line.split()[0]
    name = "rollback-list" if "--list" in line else name
    document = json.loads(sbkube(f"{line} -o json").out)
    assert document["schema"] == f"sbkube/{name}/v1"
    assert yaml.safe_load(sbkube(f"{line} --format yaml").out)["schema"] == document["schema"]
    assert sbkube(line, SBKUBE_OUTPUT_FORMAT="llm").out.startswith(f"schema: {document['schema']}\n")


def test_history_document(sbkube: Any) -> None:
    document = json.loads(sbkube("history -o json").out)
    assert document["deployments"][0]["deployment_id"] == "dep-20260501120000-0a1b2c3d"
    assert document["deployments"][0]["status"] == "success"
    assert document["deployments"][1]["status"] == "failed"


def test_history_without_a_project_asks_for_all(sbkube: Any) -> None:
    run = sbkube("history --status failed --cluster k3s --app web --limit 3 -n shop --state-url sqlite:///x.db")
    (call,) = run.api.calls
    assert call == (
        "history",
        "sqlite:///x.db",
        {"limit": 3, "status": "failed", "cluster": "k3s", "app_name": "web", "namespace": "shop"},
    )
    assert all(len(line) <= 80 for line in run.out.splitlines())


def test_history_of_the_project_at_hand(sbkube: Any, tmp_path: Path) -> None:
    (tmp_path / "sbkube.yaml").write_text("apps: {}\n")
    run = sbkube("history --since 7d")
    assert run.api.calls[1][0] == "project.history" and "since" in run.api.calls[1][1]


def test_history_as_csv(sbkube: Any) -> None:
    lines = sbkube("history -o csv").out.splitlines()
    assert lines[0].startswith("deployment_id,status,") and len(lines) == 3
    assert sbkube("status -o csv").code == 2


def test_history_show_is_show(sbkube: Any) -> None:
    assert sbkube("history --show dep-1").api.calls == [("show", "dep-1", None)]


def test_status_lists_what_is_not_well(sbkube: Any) -> None:
    run = sbkube("status")
    assert run.code == 0 and "Deployment/web  0 of 1 ready" in run.out
    assert sbkube("status --exit-status").code == 1


def test_rollback_passes_its_options(sbkube: Any) -> None:
    run = sbkube("rollback --to dep-2 --app web --force --delete-data -y")
    assert (
        "plan_rollback",
        "",
        {"to": "dep-2", "apps": ("web",), "scope": "all", "force": True, "delete_data": True},
    ) in run.api.calls


def test_rollback_of_failed_apps_only(sbkube: Any) -> None:
    run = sbkube("rollback --scope app -y")
    assert [call[2]["scope"] for call in run.api.calls if call[0] == "plan_rollback"] == ["app"]


@pytest.mark.parametrize(
    "line", ["plan --out p.json", "diff --out p.json", "rollback --out p.json", "delete --out p.json"]
)
def test_a_saved_plan_is_not_executed(sbkube: Any, line: str) -> None:
    run = sbkube(line)
    assert run.code == 0 and not run.executed
    assert any(call[0] == "save" and call[2] == "p.json" for call in run.api.calls)
    assert "sbkube apply --plan p.json" in run.out
    assert json.loads(sbkube(f"{line} -o json").out)["digest"] == "digest-1"


def test_a_saved_plan_is_executed_as_it_is(sbkube: Any) -> None:
    api = FakeApi()
    api.effect = Effect.DELETE
    run = sbkube("apply --plan p.json", api=api)  # approved already, so nobody is asked
    assert run.code == 0 and run.executed and ("approved", "p.json") in run.api.calls
    assert next(c[1]["args"] for c in run.api.calls if c[0] == "execute")["plan"] == "digest-1"
    for more in ("--app web", "--no-prune"):
        run = sbkube(f"apply --plan p.json {more}")
        assert run.code == 2 and not run.executed


def test_what_became_of_an_automatic_rollback_is_told(sbkube: Any) -> None:
    api = FakeApi()
    api.ends = DeploymentStatus.FAILED
    api.rollback = SimpleNamespace(record=None, reason="ConfigMap/a was changed since")
    run = sbkube("apply", api=api)
    assert run.code == 1 and "not rolled back: ConfigMap/a was changed since" in run.out
    document = json.loads(sbkube("apply -o json", api=api).out)
    assert document["rollback"] == {
        "deployment_id": None, "status": "refused", "error": "ConfigMap/a was changed since",
    }  # fmt: skip
    assert json.loads(sbkube("apply -o json").out)["rollback"] is None


def test_no_prune_is_passed_on(sbkube: Any) -> None:
    for command in ("apply", "deploy", "plan", "diff"):
        assert ("plan", (), "no prune") in sbkube(f"{command} --no-prune").api.calls


def test_target_and_file_exclude_each_other(sbkube: Any) -> None:
    run = sbkube("apply here -f there")
    assert run.code == 2 and "TARGET and --file" in run.err and not run.api.calls


def test_where_the_cluster_is(sbkube: Any) -> None:
    run = sbkube("--kubeconfig k --context c --sandbox diff")
    where = run.api.calls[0][3]
    assert (where.kubeconfig, where.context, where.sandbox) == ("k", "c", True)
    assert "sandbox (simulated Kubernetes API)" in run.err


def test_every_problem_of_a_project_is_told(sbkube: Any) -> None:
    run = sbkube("validate broken")
    assert run.code == 3
    assert "sbkube.yaml:3:5: unknown key 'imge'" in run.err and "did you mean 'image'?" in run.err
    document = json.loads(sbkube("validate broken -o json").out)
    assert document["schema"] == "sbkube/error/v1" and document["error"] == "config-invalid"
    assert document["problems"][0]["place"] == {"file": "sbkube.yaml", "line": 3, "column": 5}


@pytest.mark.parametrize(
    ("error", "code", "slug"),
    [
        (ClusterUnreachable("no answer", hint="is it up?"), 4, "cluster-unreachable"),
        (StateLocked("ann is deploying"), 5, "state-locked"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_exit_codes(sbkube: Any, error: BaseException, code: int, slug: str) -> None:
    api = FakeApi()
    api.fails = error
    assert sbkube("apply", api=api).code == code
    run = sbkube("apply -o json", api=api)
    assert (run.code, json.loads(run.out)["error"]) == (code, slug)
    assert run.api.closed == 2


def test_a_bug_is_one_line_and_a_trace_in_a_file(sbkube: Any, tmp_path: Path) -> None:
    api = FakeApi()
    api.fails = ValueError("cannot read 'hunter2'")
    api.fails.__cause__ = KeyError("hunter2")
    run = sbkube("apply", api=api)
    assert run.code == 70
    assert "ValueError in " in run.err and "Traceback" not in run.err
    (log,) = (tmp_path / ".sbkube" / "log").iterdir()
    trace = log.read_text()
    assert "Traceback" in trace and "builtins.KeyError" in trace and log.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in trace + run.out + run.err  # the words of an exception may quote anything
    assert str(log) in run.err


@pytest.mark.parametrize(
    "line", ["aply", "apply --nonsense", "history --limit 0", "apply -o xml", "history --since yesterdayish"]
)
def test_wrong_command_lines(sbkube: Any, line: str) -> None:
    run = sbkube(line)
    assert run.code == 2 and run.err.startswith("error: ") and not run.executed


def test_wrong_command_lines_in_machine_formats(sbkube: Any) -> None:
    run = sbkube("apply --nonsense -o json")
    assert json.loads(run.out)["error"] == "usage" and run.code == 2
    assert "'apply'" in sbkube("aply").err
    assert sbkube("apply", SBKUBE_OUTPUT_FORMAT="xml").code == 2


def test_wanted_format() -> None:
    assert wanted_format(["-ojson"], {}) == "json"
    assert wanted_format(["--format=yaml"], {}) == "yaml"
    assert wanted_format(["apply", "-o", "llm"], {"SBKUBE_OUTPUT_FORMAT": "json"}) == "llm"
    assert wanted_format(["sandbox", "run", "--", "x", "-o", "json"], {}) == "human"


@pytest.mark.parametrize(
    "line",
    [
        "-o json",
        "-o json nosuch",
        "-ojson apply --bogus",
        "apply -yo json --bogus",
        "apply -qyojson --bogus",
        "--format json rollback a b",
        "-o json state nosuch",
        "rollback --scope x -o json",
        "rollback --limit x --output=json",
        "apply -o json -n",
        "plan -o json --out",
    ],
)
def test_usage_errors_are_one_document_too(sbkube: Any, line: str) -> None:
    run = sbkube(line)
    document = json.loads(run.out)
    assert run.code == document["exit_code"] == 2 and document["error"] == "usage"
    assert run.err == ""


def test_template_into_files(sbkube: Any, tmp_path: Path) -> None:
    run = sbkube("template --output-dir out")
    assert run.code == 0 and "kind: ConfigMap" in (tmp_path / "out" / "web.yaml").read_text()
    assert sbkube("template").out.startswith("---\n# app web")


def test_sandbox_run_gives_the_exit_code_of_the_command(sbkube: Any) -> None:
    run = sbkube("sandbox run -- kubectl get pods -o wide")
    assert run.code == 5 and run.api.calls == [("run", ("kubectl", "get", "pods", "-o", "wide"))]


def test_sandbox_up_takes_port_version_and_delay(sbkube: Any) -> None:
    run = sbkube("sandbox up --port 7443 --kubernetes-version 1.34 --ready-delay 2")
    assert run.code == 0
    assert run.api.calls == [("up", {"port": 7443, "kubernetes_version": "1.34", "ready_delay": 2.0})]
    assert sbkube("sandbox up --port 70000").code == 2


@pytest.mark.parametrize("words", ["up", "down", "status", "kubeconfig", "reset -y", "run -- true"])
def test_sandbox_commands_take_a_folder(sbkube: Any, words: str) -> None:
    name, _, more = words.partition(" ")
    run = sbkube(f"sandbox {name} --dir elsewhere/box {more}")
    assert run.api.calls[0] == ("own", "elsewhere/box")


def test_sandbox_reset_asks(sbkube: Any) -> None:
    assert sbkube("sandbox reset").code == 2
    assert sbkube("sandbox reset", answer="y\n").code == 0


def test_doctor_exits_4_when_something_is_missing(sbkube: Any) -> None:
    run = sbkube("doctor")
    assert run.code == 4 and "→ is it running?" in run.out


def test_init_says_how_to_go_on(sbkube: Any) -> None:
    assert "sbkube diff new" in sbkube("init new").out
    assert sbkube("init full").code == 2


@pytest.mark.parametrize("name", list(ENTRIES))
def test_every_command_has_help(sbkube: Any, name: str) -> None:
    run = sbkube(f"{name} --help")
    assert run.code == 0 and run.out.startswith(f"Usage: sbkube {name}")


def test_colour_only_where_wanted(sbkube: Any) -> None:
    assert "\x1b[" not in sbkube("diff").out
    assert "\x1b[" in sbkube("diff", FORCE_COLOR="1").out
    assert "\x1b[" not in sbkube("diff", FORCE_COLOR="1", NO_COLOR="1").out


HEAVY = ("sqlalchemy", "pydantic", "aiohttp", "rich", "cryptography", "helm_python", "yaml", "alembic", "orjson")


@pytest.mark.parametrize(
    "line", [["--help"], ["version"], ["--version"], ["version", "-o", "json"], ["apply", "--help"]]
)
def test_starting_up_imports_nothing_heavy(line: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sbkube.cli.main import main\n"
        f"code = main({line!r})\n"
        f"heavy = sorted(n for n in {HEAVY!r} if n in sys.modules)\n"
        "sys.stderr.write(repr(heavy))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
    )
    assert done.stderr == "[]"
