"""Files of a project that may be encrypted: plain text comes out, in memory only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sbkube.apps.base import RenderContext
from sbkube.errors import ConfigError, Place, RenderError, ToolMissing
from sbkube.sources import sops
from sbkube.sources.yaml_reader import Document, decode, digest, read_file, shown


def read_text(path: Path, context: RenderContext) -> tuple[str, str]:
    """Text and digest of a file, decrypted where age encrypted it as a whole; raises ConfigError."""
    try:
        content = path.read_bytes()
    except OSError:
        return read_file(path)  # which says why it cannot be read
    if not sops.is_age(content):
        return decode(content, shown(path)), digest(content)
    try:
        return decode(context.decryptor.file(content), shown(path)), digest(content)
    except (RenderError, ToolMissing) as error:
        raise ConfigError(
            f"cannot be decrypted: {error.message}", place=Place(shown(path)), hint=error.hint
        ) from error


def plain(document: Document, path: Path, context: RenderContext) -> Document:
    """The document, decrypted where sops encrypted it; raises ConfigError."""
    if not sops.is_sops(document.value):
        return document
    try:
        return replace(document, value=context.decryptor.document(document.value, path))
    except (RenderError, ToolMissing) as error:
        message = f"cannot be decrypted: {error.message}"
        raise ConfigError(message, place=document.place(), hint=error.hint) from error
