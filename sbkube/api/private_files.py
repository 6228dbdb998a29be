"""Files for their owner alone: plans and reports tell how a cluster is built."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sbkube.errors import UsageError


def write_private(path: Path, text: str, what: str) -> None:
    """Write a file that only its owner can read, whole or not at all; one that was there is replaced.

    A link is followed. Raises UsageError, in which `what` names the thing, when the file cannot be written.
    """
    file = path.resolve()
    draft = file.parent / f".{file.name}.{os.getpid()}"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise UsageError(
            f"the {what} cannot be written: {error.strerror}",
            subject=str(path),
            hint="name a file in a folder that exists and can be written to",
        ) from error
