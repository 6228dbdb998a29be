"""Building kustomizations with whichever program is here: kustomize, kubectl, or the extra's kubectl."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from sbkube.edges.process import Command, run
from sbkube.errors import Place, RenderError, ToolMissing

_SECONDS = 120.0
_HINT = 'pip install "sbkube[kustomize]", or install kustomize or kubectl'


class KustomizeProgram:
    """The Kustomize port."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def build(self, folder: Path) -> str:
        """See `sbkube.ports.Kustomize`."""
        done = run(Command((*self._program(), str(folder)), env=self._environ, timeout=_SECONDS))
        if not done.ok:
            message = done.complaint.removeprefix("error: ").removeprefix("Error: ")
            if done.ended == "timeout":
                message = f"not built after {_SECONDS:g} s"
            raise RenderError(message or f"kustomize ended with {done.code}", place=Place(str(folder)))
        return done.output

    def _program(self) -> tuple[str, ...]:
        path = self._environ.get("PATH")
        if kustomize := shutil.which("kustomize", path=path):
            return (kustomize, "build")
        beside = str(Path(sys.executable).parent)  # where the extra puts its program
        kubectl = shutil.which("kubectl", path=path) or shutil.which("kubectl", path=beside)
        if kubectl is None:
            raise ToolMissing("there is no program to build kustomizations with", hint=_HINT)
        return (kubectl, "kustomize")
