"""Which Helm is used: the SDK in this process, or the `helm` program. Both do the same; see `HelmPort`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.edges.helm_program import ProgramHelm
from sbkube.errors import ToolMissing, UsageError
from sbkube.ports import ClusterReader

if TYPE_CHECKING:
    from sbkube.edges.helm_sdk import SdkHelm

VARIABLE = "SBKUBE_HELM"
HINT = "install helm 4 (https://helm.sh/docs/intro/install/), or sbkube on a platform that the SDK has wheels for"


def choose(
    kubeconfig: str,
    *,
    prefer: str | None = None,
    environ: Mapping[str, str],
    cluster: ClusterReader | None = None,
) -> SdkHelm | ProgramHelm:
    """The Helm to use; its `reason` says why, for `doctor`.

    `kubeconfig` is the text of a kubeconfig with one context. `prefer` (the variable SBKUBE_HELM) is `sdk`,
    `program` or `auto`: the SDK where it can be loaded, else the program on PATH. Without a cluster only rendering
    works. Raises ToolMissing when neither is there, UsageError for another word.
    """
    word = (prefer or "auto").strip().lower()
    if word not in {"sdk", "program", "auto"}:
        raise UsageError(f"{VARIABLE}={prefer} is not known", hint="sdk, program or auto")
    if word == "program":
        return _program(kubeconfig, environ, cluster, f"{VARIABLE}=program asks for it")
    from sbkube.edges.helm_sdk import SdkHelm

    try:
        return SdkHelm(kubeconfig, cluster=cluster, reason=f"{VARIABLE}=sdk asks for it" if word == "sdk" else "")
    except ToolMissing as missing:
        if word == "sdk":
            raise
        return _instead(kubeconfig, environ, cluster, missing)


def _instead(
    kubeconfig: str, environ: Mapping[str, str], cluster: ClusterReader | None, missing: ToolMissing
) -> ProgramHelm:
    try:
        return _program(kubeconfig, environ, cluster, missing.message)
    except ToolMissing as also:
        raise ToolMissing(f"no Helm: {missing.message}; {also.message}", hint=HINT) from also


def _program(
    kubeconfig: str, environ: Mapping[str, str], cluster: ClusterReader | None, reason: str
) -> ProgramHelm:
    found = shutil.which("helm", path=environ.get("PATH"))
    if found is None:
        raise ToolMissing("there is no helm program on PATH", hint=HINT)
    return ProgramHelm(Path(found), kubeconfig, environ=environ, cluster=cluster, reason=reason)
