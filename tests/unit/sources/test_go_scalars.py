"""What plain scalars mean, against a table recorded from kubectl and against Helm's reader in process."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sbkube.errors import ConfigError
from sbkube.sources.go_scalars import ScalarError, as_json, key_text, resolve, tagged
from sbkube.sources.yaml_reader import read_one

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "kubectl_scalars.json").read_text())["scalars"]
# libyaml does not tell a plain scalar with the non-specific tag from one without a tag.
DIFFERENT = {"! 12"}


@pytest.mark.parametrize("text", [text for text in TABLE if text not in DIFFERENT])
def test_scalar_is_what_kubectl_reads(text: str) -> None:
    expected = TABLE[text]
    if isinstance(expected, dict):
        with pytest.raises(ConfigError):
            read_one(f"v: {text}\n", "f.yaml")
        return
    value, wanted = read_one(f"v: {text}\n", "f.yaml").value["v"], json.loads(expected)
    assert type(value) is type(wanted)
    if isinstance(wanted, int) and abs(wanted) >= 2**63:
        assert float(value) == float(wanted)  # kubectl has rounded it to a float by now
    else:
        assert value == wanted


@pytest.mark.parametrize("text", [text for text in TABLE if text not in DIFFERENT])
def test_scalar_is_what_helm_reads(text: str) -> None:
    helm = pytest.importorskip("helm_python")
    try:
        wanted = helm.values_from_yaml(f"v: {text}\n")["v"]
    except helm.HelmError:
        with pytest.raises(ConfigError):
            read_one(f"v: {text}\n", "f.yaml")
        return
    value = read_one(f"v: {text}\n", "f.yaml").value["v"]
    if type(value) is int:  # Helm has made floats of all numbers by now
        assert float(value) == float(wanted)
    else:
        assert value == wanted


def test_booleans_of_go_are_booleans_in_every_case_that_go_knows() -> None:
    assert [resolve(word) for word in ("y", "Yes", "ON", "n", "No", "off")] == [True] * 3 + [False] * 3
    assert resolve("yEs") == "yEs"


@pytest.mark.parametrize(
    ("value", "key"),
    [("a", "a"), (True, "true"), (15, "15"), (1.0, "1"), (1.5, "1.5"), (1e6, "1e+06"), (1e-5, "1e-05"),
     (1234567.5, "1.2345675e+06"), (math.inf, ".inf"), (-math.inf, "-.inf"), (math.nan, ".nan"), (1e300, ".inf")],
)  # fmt: skip
def test_keys_become_text_as_in_go(value: Any, key: str) -> None:
    assert key_text(value) == key


@pytest.mark.parametrize("value", [None, 2**63])
def test_keys_that_go_refuses(value: Any) -> None:
    with pytest.raises(ScalarError):
        key_text(value)


def test_whole_floats_become_integers_as_in_gos_json() -> None:
    assert as_json(1e20, "1e20") == 10**20
    assert isinstance(as_json(1e21, "1e21"), float)
    with pytest.raises(ScalarError, match="cannot store"):
        as_json(math.nan, ".nan")


def test_binary_is_decoded_and_unknown_tags_are_ignored() -> None:
    assert tagged("tag:yaml.org,2002:binary", "aGVs\n bG8=") == "hello"
    assert tagged("!Ref", "12") == "12"
    with pytest.raises(ScalarError, match="base64"):
        tagged("tag:yaml.org,2002:binary", "***")
