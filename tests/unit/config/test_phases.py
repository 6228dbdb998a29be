"""Phases and the files that they name: what they inherit, how their apps are called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.config.load import load_project
from sbkube.config.model import ProjectConfig
from sbkube.errors import ConfigError, UsageError

NOOP = "{type: noop}"


def write(folder: Path, text: str, name: str = "sbkube.yaml") -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"apiVersion: sbkube/v1\n{text}")


def load(folder: Path, text: str) -> ProjectConfig:
    write(folder, text)
    return load_project(folder, environ={})


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    error = caught.value
    found = [(p.place, p.message) for p in error.problems] or [(error.place, error.message)]
    return [f"{place}".removeprefix(f"{folder}/") + f" {message}" for place, message in found]


def test_apps_of_phases_are_called_after_them(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "settings: {namespace: shop}\napps: {own: {type: noop}}\n"
        "phases:\n"
        "  infra: {settings: {namespace: base}, apps: {db: {type: noop},"
        " db_user: {type: noop, depends_on: [db]}}}\n"
        "  web: {depends_on: [infra], apps: {front: {type: noop}, helm: {type: helm, chart: ./c}}}\n",
    )
    assert list(found.apps) == ["own", "infra/db", "infra/db_user", "web/front", "web/helm"]
    assert [a.namespace for a in found.apps.values()] == ["shop", "base", "base", "shop", "shop"]
    assert found.apps["infra/db_user"].depends_on == ("infra/db",)
    assert found.apps["web/front"].depends_on == ("infra/db_user",)
    assert found.apps["web/helm"].release == "helm"  # type: ignore[attr-defined]
    assert found.full_names(["db", "web/", "own", "nobody"]) == ("infra/db", "web/", "own", "nobody")


def test_a_name_that_several_phases_have_must_be_said_whole(tmp_path: Path) -> None:
    found = load(tmp_path, "phases: {a: {apps: {x: {type: noop}}}, b: {apps: {x: {type: noop}}}}")
    with pytest.raises(UsageError, match="several apps are called 'x'"):
        found.full_names(["x"])


def test_a_phase_without_apps_hands_on_what_it_depends_on(tmp_path: Path) -> None:
    text = (
        "phases: {a: {apps: {x: {type: noop}}}, b: {depends_on: [a], apps: {}},"
        " c: {depends_on: [b], apps: {z: {type: noop}}}}"
    )
    assert load(tmp_path, text).apps["c/z"].depends_on == ("a/x",)


def test_a_disabled_phase_disables_its_apps(tmp_path: Path) -> None:
    found = load(tmp_path, "phases: {a: {enabled: false, apps: {x: {type: noop}}}}")
    assert not found.apps["a/x"].enabled


def test_settings_are_inherited_down_to_the_file_of_a_phase(tmp_path: Path) -> None:
    """Scalars override, lists are joined, maps are merged; paths still mean the same file."""
    write(
        tmp_path / "parts" / "db",
        "settings: {timeout: 30, cluster_values_file: own.yaml, global_values: {a: {z: 3}}, sensitive: [c]}\n"
        "global_labels: {owner: db}\napps: {x: {type: noop}}\n",
    )
    found = load(
        tmp_path,
        "settings: {namespace: shop, timeout: 10, cluster_values_file: [all.yaml], sensitive: [a],"
        " global_values: {a: {x: 1, z: 1}}}\nglobal_labels: {team: a}\n"
        "phases: {db: {source: parts/db, on_failure: continue,"
        " settings: {timeout: 20, global_values: {a: {z: 2}, b: 1}}}}\n",
    )
    scope = found.of("db/x")
    assert scope.folder == tmp_path / "parts/db"
    settings = scope.settings
    assert (settings.namespace, settings.timeout, settings.on_failure) == ("shop", 30, "continue")
    assert settings.cluster_values_file == ("../../all.yaml", "own.yaml")
    assert settings.global_values == {"a": {"x": 1, "z": 3}, "b": 1}
    assert scope.labels == {"team": "a", "owner": "db"} and found.of("gone").labels == {"team": "a"}
    assert found.settings.sensitive == ("a", "c")
    assert scope.values[0][0] == "../../all.yaml"


def test_app_dirs_are_phases_in_their_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, f"apps: {{x: {NOOP}}}\nphases: {{in: {{apps: {{z: {NOOP}}}}}}}")
    found = load(tmp_path, "app_dirs: [b, a]\ndeps: [other]")
    assert list(found.apps) == ["b/x", "b/in/z", "a/x", "a/in/z"] and found.deps == ("other",)
    assert found.apps["b/in/z"].short == "z"


def test_phases_may_come_first(tmp_path: Path) -> None:
    text = (
        "settings: {execution_order: phases_first}\napps: {own: {type: noop}}\n"
        "phases: {a: {apps: {x: {type: noop}}}}\n"
    )
    assert list(load(tmp_path, text).apps) == ["a/x", "own"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("phases: {a: {}}", "2:10 phases.a has neither source nor apps"),
        ("phases: {a: {apps: {}, source: x}}", "2:10 phases.a has both source and apps"),
        ("phases: {a: 1}", "2:10 phases.a must be a map"),
        ("phases: {A: {apps: {}}}", '2:10 "A" is no name for a phase'),
        ("phases: {a: {apps: {}, depnds_on: []}}", "2:24 phases.a.depnds_on is not a known key"),
        ("phases: {a: {apps: {}, depends_on: [b]}}", '2:37 phases.a depends on "b", which does not exist'),
        (
            "phases: {a: {apps: {}, depends_on: [b]}, b: {apps: {}, depends_on: [a]}}",
            "2:37 phases depend on each other in a circle: a → b → a",
        ),
        ("phases: {a: {source: nowhere}}", "2:22 nowhere does not exist"),
        ("phases: {a: {source: sbkube.yaml}}", "2:22 project files name each other in a circle"),
        (
            "phases: {a: {apps: {x: {type: noop, depends_on: [z]}}}}",
            '2:50 apps.x depends on "z", which does not exist',
        ),
        (
            "phases: {a: {apps: {}, settings: {kubeconfig: x}}}",
            "2:35 phases.a.settings.kubeconfig is a matter of the whole project",
        ),
        (
            "settings: {helm_repos: {r: https://a}}\nphases: {a: {apps: {}, settings: {helm_repos: {r: https://b}}}}",
            "3:48 phases.a.settings.helm_repos.r is another repository elsewhere in the project",
        ),
        ("app_dirs: [a]\nphases: {a: {apps: {}}}", '2:12 there is a phase "a" already'),
    ],
)
def test_what_is_wrong_with_phases(tmp_path: Path, text: str, says: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1 and says in found[0].replace(f"{tmp_path}/", "")


def test_a_file_with_a_name_is_a_project_of_its_own_that_inherits(tmp_path: Path) -> None:
    write(tmp_path / "a", "metadata: {name: own}\napps: {x: {type: noop}}")
    found = load(tmp_path, "settings: {namespace: shop}\nphases: {a: {source: a}, b: {apps: {z: {type: noop}}}}")
    (child,) = found.children
    assert (child.phase, child.first, child.config.name) == ("a", False, "own")
    assert list(child.config.apps) == ["x"] and child.config.settings.namespace == "shop"
    assert list(found.apps) == ["b/z"]


def test_its_problems_are_told_with_those_of_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a", "metadata: {name: own}\nappps: {}")
    assert "appps is not a known key" in problems(tmp_path, "phases: {a: {source: a}}")[0]


def test_older_spellings(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "clusters: [{name: lab, context: k3s-lab}, {name: prod, context: k3s-prod, default: true}]\n"
        "helm_sources: [{name: b, url: https://b}, {name: o, url: ghcr.io/o, type: oci}]\napps: {}",
    )
    assert (found.settings.cluster, found.settings.kubeconfig_context) == ("prod", "k3s-prod")
    assert set(found.settings.helm_repos) == {"b"} and set(found.settings.oci_registries) == {"o"}
    assert [w.partition(": ")[2] for w in found.warnings] == [
        "clusters is an older spelling of settings.kubeconfig_context",
        "helm_sources is an older spelling of settings.helm_repos",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clusters: [{context: a}]", "2:1 clusters has an entry without name"),
        ("clusters: [{name: a}, {name: b}]", "2:1 clusters must mark one cluster with default: true"),
        ("helm_sources: 1", "2:1 helm_sources must be a list of maps"),
    ],
)
def test_what_is_wrong_with_older_spellings(tmp_path: Path, text: str, says: str) -> None:
    assert says in problems(tmp_path, text)[0]


def test_labels_of_charts(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "settings: {incompatible_charts: [bad, r/forced], force_label_injection: [forced]}\n"
        "apps: {a: {type: helm, chart: r/bad}, b: {type: helm, chart: r/forced}, c: {type: helm, chart: r/good},\n"
        "  d: {type: helm, chart: r/good, helm_label_injection: false}}\n",
    )
    assert [found.of(n).labels_charts_of(found.apps[n]) for n in "abcd"] == [False, True, True, False]


def test_consent_to_force_hides_no_less(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "apps: {a: {type: noop, sensitive: [own]}}\nphases: {p: {settings: {sensitive: [phase]}, apps: {}}}",
    )
    assert found.settings.sensitive == ("phase", "own")
    forced = found.forcing()
    assert forced.settings.sensitive == ("phase", "own") and forced.settings.force_conflicts
    assert forced.of("p/x").settings.force_conflicts
