"""Where charts, manifests and repositories come from, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Login:
    """How to be let in, and whom to trust. Files are absolute paths; empty means: nothing special.

    `authorization` is a ready header value, for tokens; it wins over user and password.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    ssh_key: Path | None = None
    insecure: bool = False


ANONYMOUS = Login()


@dataclass(frozen=True, slots=True)
class Repository:
    """A named place in the settings: a Helm repository, an OCI registry or a git repository.

    `revision` is the default commit, tag or branch of a git repository.
    """

    name: str
    url: str
    login: Login = ANONYMOUS
    revision: str = ""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """A GET; `limit` is the most bytes to take. With `challenge` a 401 is an answer, not an error."""

    url: str
    login: Login = ANONYMOUS
    headers: tuple[tuple[str, str], ...] = ()
    limit: int = 1 << 30
    challenge: bool = False


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back: `headers` have lower-case names; `size` is the number of bytes of the whole body."""

    status: int
    headers: dict[str, str]
    size: int = 0


@dataclass(frozen=True, slots=True)
class Pinned:
    """One line of the lock file: what was asked for, and what it turned out to be.

    `digest` is `sha256:…` of the archive or file, empty for a git commit, which is its own.
    """

    source: str
    wanted: str
    found: str
    digest: str = ""
