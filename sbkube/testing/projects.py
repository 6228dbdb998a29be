"""Running an sbkube project in a test, in this process and without the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sbkube.api import Project, Result
    from sbkube.testing.simulated import KubeSandbox


def open_project(folder: str | os.PathLike[str], box: KubeSandbox, **options: Any) -> Project:
    """The project in a folder, to be deployed to a sandbox; use it as a context manager.

    Its state database is in the sandbox's folder, so the real one is not touched. `options` are those of
    `sbkube.api.open_project`: `namespace`, `listener`, `environ`.
    """
    from sbkube import api
    from sbkube.testing.simulated import DEPLOYMENTS

    environ = {**os.environ, **box.environ, **options.pop("environ", {})}
    where = api.Where(kubeconfig=str(box.kubeconfig), state_url=str(box.folder.absolute() / DEPLOYMENTS))
    return api.open_project(Path(folder), where=where, environ=environ, **options)


def apply(folder: str | os.PathLike[str], box: KubeSandbox, **options: Any) -> Result:
    """What `sbkube apply` does: plan, execute, wait, record. What fails in the cluster is in the result.

    `result.exit_code` is the command's; `result.record` the deployment with everything below it. Raises the errors
    of `sbkube.errors` for what is wrong before anything is touched.
    """
    with open_project(folder, box, **options) as project:
        project.settle()
        return project.execute(project.plan(), command="apply")
