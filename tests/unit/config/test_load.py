"""Loading projects: what a person writes, and what comes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sbkube.config.load import load_project, locate
from sbkube.errors import ConfigError, Place, UsageError

HEAD = "apiVersion: sbkube/v1\n"


def project(folder: Path, text: str) -> Path:
    path = folder / "sbkube.yaml"
    path.write_text(HEAD + text)
    return path


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    project(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_project(folder, environ=environ or {})
    return [f"{p.place.line}:{p.place.column} {p.message}" for p in caught.value.problems if p.place]


def hint(folder: Path, text: str) -> str:
    project(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_project(folder, environ={})
    return caught.value.hint or ""


def test_a_whole_project(tmp_path: Path) -> None:
    project(
        tmp_path,
        """metadata: {name: shop, environment: test}
global_labels: {team: a, tier: web}
settings:
  namespace: shop
  kubeconfig: ${DIR:-conf}/kube
  kubeconfig_context: ${CONTEXT}
  max_workers: ${WORKERS}
  timeout: 10m
  parallel_apps: true
  on_failure: continue
  state: {url: "sqlite:///${DIR:-conf}/x.db"}
  global_labels: {team: b, owner: c}
apps:
  web: {type: helm, chart: ./web, depends_on: [db], labels: {a: b}}
  db: {type: yaml, files: [db.yaml], namespace: data, enabled: true}
  note: {type: noop, notes: by hand}
""",
    )
    found = load_project(tmp_path, environ={"CONTEXT": "dev", "WORKERS": "8"})
    assert (found.path, found.folder, found.name, found.name_given) == (
        tmp_path / "sbkube.yaml",
        tmp_path,
        "shop",
        True,
    )
    settings = found.settings
    assert (settings.namespace, settings.kubeconfig, settings.kubeconfig_context) == (
        "shop",
        tmp_path / "conf/kube",
        "dev",
    )
    assert (settings.max_workers, settings.timeout, settings.on_failure) == (8, 600, "continue")
    assert settings.state_url == "sqlite:///conf/x.db"
    assert [(a.name, a.type, a.namespace) for a in found.apps.values()] == [
        ("web", "helm", "shop"),
        ("db", "yaml", "data"),
        ("note", "noop", "shop"),
    ]
    assert found.of("web").labels == {"team": "a", "tier": "web", "owner": "c"}
    assert found.apps["web"].place == Place(str(tmp_path / "sbkube.yaml"), 15, 3)
    assert found.place("settings", "namespace").line == 5
    assert found.warnings == ()


def test_defaults(tmp_path: Path) -> None:
    project(tmp_path, "")
    found = load_project(tmp_path / "sbkube.yaml", environ={})
    assert (found.name, found.name_given, found.apps) == (tmp_path.name, False, {})
    s = found.settings
    assert (s.namespace, s.timeout, s.on_failure, s.max_workers, s.parallel_apps) == (
        "default",
        600,
        "stop",
        4,
        False,
    )
    assert (s.prune, s.create_namespaces, s.force_conflicts, s.cleanup_metadata, s.state_url) == (
        True,
        True,
        False,
        True,
        None,
    )


def test_a_name_by_position_of_the_folder_even_for_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, "apps: {a: {type: noop}}")
    monkeypatch.chdir(tmp_path)
    found = load_project(environ={})
    assert found.name == tmp_path.name
    assert str(found.apps["a"].place) == "sbkube.yaml:2:8"


def test_a_namespace_from_outside_replaces_the_settings_not_an_apps_own(tmp_path: Path) -> None:
    project(tmp_path, "settings: {namespace: a}\napps: {x: {type: noop}, z: {type: noop, namespace: own}}")
    found = load_project(tmp_path, namespace="b", environ={})
    assert (found.settings.namespace, found.apps["x"].namespace, found.apps["z"].namespace) == ("b", "b", "own")
    with pytest.raises(UsageError, match="no name for a namespace"):
        load_project(tmp_path, namespace="Not_One", environ={})


def test_apps_as_a_list_and_in_older_specs(tmp_path: Path) -> None:
    project(
        tmp_path,
        "apps:\n- {name: a, type: yaml, specs: {manifests: [x.yaml]}, depends_on: [b]}\n"
        "- {name: b, type: noop, specs: {}}\n",
    )
    found = load_project(tmp_path, environ={})
    assert list(found.apps) == ["a", "b"]
    assert found.apps["a"].model_dump()["manifests"] == ("x.yaml",)
    assert [w.split(": ", 1)[1] for w in found.warnings] == [
        '"specs" around the fields of app a is an older spelling: remove it',
        '"specs" around the fields of app b is an older spelling: remove it',
    ]
    assert found.apps["a"].where("manifests", 0) == Place(str(tmp_path / "sbkube.yaml"), 3, 45)


def test_errors_within_specs_are_found_there(tmp_path: Path) -> None:
    text = "apps:\n  a: {type: yaml, specs: {manifests: [1], mani: 2}}\n"
    assert problems(tmp_path, text) == [
        "3:39 apps.a.manifests[0] must be text, not a number",
        "3:43 apps.a.mani is not a known key",
    ]
    assert problems(tmp_path, "apps:\n  a: {type: noop, notes: x, specs: {notes: z}}\n") == [
        "3:37 apps.a.notes is given twice, inside and outside of specs"
    ]


def test_everything_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """metadata: {name: 12}
setings: {}
settings:
  namespace: Bad_NS
  max_worker: 3
  max_workers: 99
  on_failure: stopp
  parallel_apps: maybe
  cluster: ${NOPE}
  state: {ur: x}
apps:
  a: {type: yaml, manifest: [x.yaml]}
  b: {type: hlem}
  c: {chart: x}
  d:
  e: {type: helm, chart: ./x, values: {a: 1}, wait: 12}
  F: {type: noop}
"""
    assert problems(tmp_path, text) == [
        "2:18 metadata.name must be text",
        "3:1 setings is not a known key",
        '5:14 settings.namespace "Bad_NS" is not a valid name here',
        "6:3 settings.max_worker is not a known key",
        "7:16 settings.max_workers must be at most 32",
        '8:15 settings.on_failure must be one of stop, continue, rollback, not "stopp"',
        '9:18 settings.parallel_apps must be true or false, not "maybe"',
        "10:12 the environment variable NOPE is not set",
        "11:11 settings.state.ur is not a known key",
        "13:19 apps.a.manifest is not a known key",
        '14:13 apps.b: there is no type "hlem"',
        "15:3 apps.c.type is missing",
        "16:5 apps.d is empty",
        "17:39 apps.e.values must be a list, not a map",
        "17:53 apps.e.wait must be true or false, not 12",
        '18:3 "F" is no name for an app',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("setings: {}", 'did you mean "settings"?'),
        ("settings: {maxWorkers: 1}", 'did you mean "max_workers"?'),
        ("apps: {a: {type: hlem}}", 'did you mean "helm"?'),
        ("apps: {a: {type: noop, depends_on: [bb]}, bbb: {type: noop}}", 'did you mean "bbb"?'),
        ("apps: {a: {type: noop, labels: {x: 1}}}", 'put it into quotes: "1"'),
        ("apps: {a: {type: noop, labels: {x: y}}}", "YAML reads y, n, yes"),
        ("apps: {y: {type: noop}}", "YAML reads y, n, yes"),
        ("settings: {on_failure: rolback}", 'did you mean "rollback"?'),
        ("settings: {kubeconfig_context: 1}", 'put it into quotes: "1"'),
        ("apps: {a: {type: yaml, manifests: x}}", '"- "'),
        ("apps: 12", ""),
    ],
)
def test_hints(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in hint(tmp_path, text)


def test_cycles_are_printed_even_through_apps_with_other_problems(tmp_path: Path) -> None:
    a, b, c = ("{type: noop, depends_on: [b]}", "{type: nop, depends_on: [c]}", "{type: noop, depends_on: [a]}")
    assert (
        problems(tmp_path, f"apps:\n  a: {a}\n  b: {b}\n  c: {c}\n")[0]
        == "3:32 apps depend on each other in a circle: a → b → c → a"
    )


def test_depending_on_a_disabled_app_is_a_warning(tmp_path: Path) -> None:
    project(tmp_path, "apps: {a: {type: noop, depends_on: [b]}, b: {type: noop, enabled: false}}")
    (warning,) = load_project(tmp_path, environ={}).warnings
    assert 'apps.a depends on "b", which is disabled' in warning


def test_what_an_app_calls_sensitive_is_sensitive_everywhere(tmp_path: Path) -> None:
    project(tmp_path, "settings: {sensitive: [a]}\napps: {x: {type: noop, sensitive: ['**.token', a]}}")
    assert load_project(tmp_path, environ={}).settings.sensitive == ("a", "**.token")


def test_home_is_expanded_in_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    project(tmp_path, "settings: {kubeconfig: ~/.kube/x}")
    assert load_project(tmp_path, environ={}).settings.kubeconfig == Path("/home/me/.kube/x")
    project(tmp_path, "settings: {kubeconfig: '${KUBE:-}'}")
    assert load_project(tmp_path, environ={}).settings.kubeconfig is None


def test_rollback_after_a_failure_is_accepted(tmp_path: Path) -> None:
    project(tmp_path, "settings: {on_failure: rollback, rollback_scope: all}")
    found = load_project(tmp_path, environ={})
    assert (found.settings.on_failure, found.settings.rollback_scope) == ("rollback", "all")
    assert found.warnings == ()


def test_two_apps_must_not_deploy_the_same_release(tmp_path: Path) -> None:
    text = "apps:\n  my_web: {type: helm, chart: x}\n  other: {type: helm, chart: x, release_name: my-web}\n"
    assert problems(tmp_path, text) == [
        '4:47 apps.other and apps.my_web both deploy the release "my-web" to default'
    ]
    project(tmp_path, text.replace("release_name", "namespace: other, release_name"))
    assert len(load_project(tmp_path, environ={}).apps) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"- a", "is not a map"),
        (b"a: [", "broken YAML"),
        (b"a: \xff", "is not UTF-8"),
        (b"apps: {}", "apiVersion is missing"),
        (b"apiVersion: sbkube/v2", "apiVersion must be sbkube/v1"),
        (b"apiVersion: sbkube/v1\n---\na: 1", "several documents"),
        (b"apiVersion: sbkube/v1\napps: 1", "apps must be a map of apps by name"),
        (b"apiVersion: sbkube/v1\nsettings: 1", "settings must be a map"),
        (b"apiVersion: sbkube/v1\napps: [{type: noop}]", "apps[0] has no name"),
        (b"apiVersion: sbkube/v1\napps: [{name: a, type: noop}, {name: a, type: noop}]", 'app "a" is there twice'),
        (b"apiVersion: sbkube/v1\napps: {a: {type: noop}, a: {type: noop}}", 'duplicate key "a"'),
    ],
)
def test_files_that_are_no_project(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "sbkube.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_project(tmp_path, environ={})
    assert says in caught.value.message
    assert (caught.value.place and caught.value.place.file) == str(tmp_path / "sbkube.yaml")


def test_a_missing_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no sbkube\.yaml here") as caught:
        locate(tmp_path)
    assert f"`sbkube init {tmp_path}`" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="there is no such file or folder") as caught:
        locate(tmp_path / "new")
    assert caught.value.hint == f"`sbkube init {tmp_path}/new` makes one"
    with pytest.raises(ConfigError, match="there is no such file"):
        locate(tmp_path / "other.yaml")
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ConfigError, match=r"only the older config\.yaml"):
        locate(tmp_path)
    (tmp_path / "sbkube.yml").touch()
    with pytest.raises(ConfigError) as caught:
        locate(tmp_path)
    assert caught.value.hint == "rename it to sbkube.yaml"


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "sbkube.yaml").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        load_project(tmp_path, environ={})


def test_the_snapshot_holds_no_secret(tmp_path: Path) -> None:
    text = """metadata: {name: shop}
settings:
  state: {url: "postgresql://me:geheim@db/x"}
  cluster: ${TOKEN}
apps:
  web: {type: helm, chart: ./x, values: [{password: geheim}], set_values: {a: geheim}}
"""
    project(tmp_path, text)
    snapshot: Any = load_project(tmp_path, environ={"TOKEN": "geheim"}).snapshot()
    assert "geheim" not in repr(snapshot)
    assert snapshot["settings"]["state"] == {"url": "postgresql://me:***@db/x"}
    assert snapshot["settings"]["cluster"] == "${TOKEN}"
    assert snapshot["apps"]["web"]["chart"] == "./x"


def test_the_snapshot_has_hooks_and_how_phases_hang_together(tmp_path: Path) -> None:
    text = """hooks: {deploy: {pre: ["./backup.sh"]}}
phases:
  base: {apps: {a: {type: noop}}}
  top: {source: top.yaml, depends_on: [base], on_failure: continue}
"""
    project(tmp_path, text)
    (tmp_path / "top.yaml").write_text(
        "apiVersion: sbkube/v1\nhooks: {apply: {post: [echo]}}\napps: {b: {type: noop}}\n"
    )
    snapshot: Any = load_project(tmp_path, environ={}).snapshot()
    assert snapshot["hooks"] == {"deploy": {"pre": ["./backup.sh"]}}
    top = snapshot["phases"]["top"]
    assert (top["depends_on"], top["on_failure"]) == (["base"], "continue")
    assert top["hooks"] == {"apply": {"post": ["echo"]}}
    assert "depends_on" not in snapshot["phases"]["base"]


def test_importing_the_loader_does_not_import_pydantic() -> None:
    code = "import sys, sbkube.config.load; sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
