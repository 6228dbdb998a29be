"""Which Helm is chosen, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.edges import helm, helm_sdk
from sbkube.errors import ToolMissing, UsageError


def fake(folder: Path, version: str) -> dict[str, str]:
    folder.mkdir()
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return {"PATH": str(folder)}


def without_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ToolMissing("the Helm SDK cannot be loaded: version `GLIBC_2.34' not found")

    monkeypatch.setattr(helm_sdk, "load", refuse)


def test_the_sdk_comes_first(tmp_path: Path) -> None:
    port = helm.choose("", environ=fake(tmp_path / "bin", "v4.9.9"))
    assert port.name == "sdk"


def test_the_program_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_sdk(monkeypatch)
    port = helm.choose("", prefer="auto", environ=fake(tmp_path / "bin", "v4.9.9"))
    assert (port.name, port.version) == ("program", "v4.9.9")
    assert "GLIBC" in port.reason  # type: ignore[attr-defined]


def test_the_program_on_request(tmp_path: Path) -> None:
    port = helm.choose("", prefer=" Program ", environ=fake(tmp_path / "bin", "v4.9.9"))
    assert port.name == "program"
    assert "SBKUBE_HELM=program" in port.reason  # type: ignore[attr-defined]


def test_neither_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_sdk(monkeypatch)
    with pytest.raises(ToolMissing, match=r"GLIBC_2\.34.*no helm program on PATH") as caught:
        helm.choose("", environ={"PATH": str(tmp_path)})
    assert "install helm 4" in (caught.value.hint or "")


def test_no_other_than_the_one_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_sdk(monkeypatch)
    with pytest.raises(ToolMissing, match="GLIBC"):
        helm.choose("", prefer="sdk", environ=fake(tmp_path / "bin", "v4.9.9"))
    with pytest.raises(ToolMissing, match="no helm program"):
        helm.choose("", prefer="program", environ={"PATH": str(tmp_path / "empty")})


@pytest.mark.parametrize("said", ["v3.20.1", "nonsense"])
def test_a_program_that_will_not_do(tmp_path: Path, said: str) -> None:
    with pytest.raises(ToolMissing):
        helm.choose("", prefer="program", environ=fake(tmp_path / "bin", said))


def test_another_word() -> None:
    with pytest.raises(UsageError, match="SBKUBE_HELM=helm3"):
        helm.choose("", prefer="helm3", environ={})
