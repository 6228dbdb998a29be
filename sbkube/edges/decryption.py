"""Opening files that sops or age encrypted, in memory: age in this process, all else by the `sops` program."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from sbkube.edges.process import Command, run
from sbkube.errors import ConfigError, RenderError, ToolMissing
from sbkube.sources import sops
from sbkube.sources.yaml_reader import read_one

INSTALL = "pip install 'sbkube[sops]'"
_IDENTITY = re.compile(r"AGE-SECRET-KEY-\S+")


class Decryption:
    """The Decryptor. `known` gathers every value that was decrypted, so that none of them is ever told."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Identities come from SOPS_AGE_KEY, SOPS_AGE_KEY_FILE and sops' own file below the home folder."""
        self._environ = environ
        self.known: set[str] = set()

    def document(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """A document that sops encrypted. Raises RenderError, ToolMissing."""
        if sops.for_age(value):
            plain = sops.decrypted(value, self._open)
        else:
            plain = self._by_program(path)
        self.known.update(_opened(value, plain))
        return plain

    def file(self, content: bytes) -> bytes:
        """A file that age encrypted as a whole. Raises RenderError, ToolMissing."""
        plain = self._open(content)
        with contextlib.suppress(ConfigError, ValueError):  # whoever reads it next says better what is wrong
            self.known.update(_texts(read_one(plain.decode(), "decrypted").value))
        return plain

    def _open(self, content: bytes) -> bytes:
        try:
            import pyrage
        except ImportError as error:
            raise ToolMissing("age files need pyrage", hint=INSTALL) from error
        try:
            return bytes(pyrage.decrypt(content, self._identities))
        except pyrage.DecryptError as error:
            hint = "SOPS_AGE_KEY or SOPS_AGE_KEY_FILE names the key" if not self._identities else None
            raise RenderError(f"no age key that is here opens it ({error})", hint=hint) from error

    @cached_property
    def _identities(self) -> list[Any]:
        import pyrage

        texts = [self._environ.get("SOPS_AGE_KEY", "")]
        home = Path(self._environ.get("XDG_CONFIG_HOME") or Path(self._environ.get("HOME", "~")) / ".config")
        named = self._environ.get("SOPS_AGE_KEY_FILE")
        for file in (Path(named) if named else None, home / "sops" / "age" / "keys.txt"):
            if file is not None and file.is_file():
                texts.append(file.read_text("utf-8"))
        found = [key for text in texts for key in _IDENTITY.findall(text)]
        return [pyrage.x25519.Identity.from_str(key) for key in found]

    def _by_program(self, path: Path) -> dict[str, Any]:
        command = Command(
            ("sops", "decrypt", "--output-type", "json", str(path)),
            env=self._environ,
            timeout=60,
            install_hint="install sops: this file is not encrypted for an age recipient alone",
        )
        done = run(command)
        if not done.ok:
            raise RenderError(f"sops cannot decrypt {path.name}: {done.complaint}")
        value = read_one(done.output, path.name).value
        return value if isinstance(value, dict) else {}


def _opened(value: Any, plain: Any) -> Iterator[str]:
    """Texts of a decrypted document that were encrypted before: sops leaves some in clear."""
    if isinstance(value, Mapping) and isinstance(plain, Mapping):
        for key, below in plain.items():
            yield from _opened(value.get(key), below)
    elif isinstance(value, list) and isinstance(plain, list):
        for before, after in zip(value, plain, strict=False):
            yield from _opened(before, after)
    elif isinstance(value, str) and value.startswith("ENC["):
        yield from _texts(plain)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
