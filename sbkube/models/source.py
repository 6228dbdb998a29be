"""Where charts, manifests and repositories come from, as values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit


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


def shown(url: str) -> str:
    """A URL as people may see it: without login, and without a query, which may hold a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Repository:
    """A named place in the settings: a Helm repository, an OCI registry or a git repository.

    `revision` is the default commit, tag or branch of a git repository.
    """

    name: str
    url: str
    login: Login = ANONYMOUS
    revision: str = ""

    @classmethod
    def at(cls, name: str, url: str, login: Login = ANONYMOUS, revision: str = "") -> Repository:
        """With a login that stands in the URL taken out of it: URLs get onto command lines and into messages."""
        parts = urlsplit(url) if "://" in url else None
        if parts is None or "@" not in parts.netloc or parts.scheme == "ssh":
            return cls(name, url, login, revision)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        who = replace(login, username=unquote(parts.username or ""), password=unquote(parts.password or ""))
        return cls(name, bare, login if login.username else who, revision)


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
