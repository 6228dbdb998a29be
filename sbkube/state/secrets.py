"""The state key: what sensitive content is encrypted with and named by.

One key of 32 random bytes gives, by HKDF (RFC 5869), a key each for encryption (AES-256-GCM), for digests of
sensitive content and for the chain of closings, so that none of them weakens another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_VARIABLE = "SBKUBE_STATE_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12


class StateKey:
    """A key and what is derived from it. `key_id` names it without telling anything about it.

    `older` are keys that were used before (or by another laptop): they open and verify, and write nothing.
    """

    def __init__(self, secret: bytes, older: Sequence[StateKey] = ()) -> None:
        if len(secret) != KEY_BYTES:
            raise StateError(
                f"a state key has {KEY_BYTES} bytes, not {len(secret)}", hint="make one: sbkube state key"
            )
        self._sealing = _derive(secret, b"sbkube seal")
        self._digests = _derive(secret, b"sbkube digest")
        self._closings = _derive(secret, b"sbkube closing")
        self.key_id = _derive(secret, b"sbkube key id").hex()[:16]
        self.older = tuple(older)
        self._cipher: AESGCM | None = None

    @classmethod
    def alone(cls, key: StateKey) -> StateKey:
        """The same key without its older ones."""
        copy = cls.__new__(cls)
        copy.__dict__.update(key.__dict__, older=())
        return copy

    def named(self, key_id: str) -> StateKey | None:
        """This key, or an older one, by its id."""
        return next((key for key in self.all if key.key_id == key_id), None)

    @property
    def all(self) -> tuple[StateKey, ...]:
        """This key and the older ones."""
        return (self, *self.older)

    def __repr__(self) -> str:
        """Never the key."""
        return f"StateKey({self.key_id})"

    def seal(self, plain: bytes, identity: str) -> bytes:
        """Encrypt; `identity` is bound to the result as associated data. The nonce is random and comes first."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead().encrypt(nonce, plain, identity.encode())

    def open(self, sealed: bytes, identity: str) -> bytes:
        """Decrypt what `seal` made for the same identity; anything else raises StateError."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aead().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], identity.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short for a nonce
            raise StateError(
                "encrypted content was altered, or belongs to another object", subject=identity
            ) from error

    def digest(self, content: bytes) -> str:
        """HMAC-SHA256 of sensitive content, in hex."""
        return hmac.new(self._digests, content, hashlib.sha256).hexdigest()

    def closing(self, content: bytes) -> str:
        """HMAC-SHA256 of a link of the chain of closings, in hex."""
        return hmac.new(self._closings, content, hashlib.sha256).hexdigest()

    def _aead(self) -> AESGCM:
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._sealing)
        return self._cipher


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 without salt, one block."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, purpose + b"\x01", hashlib.sha256).digest()


def new_key_text() -> str:
    """A fresh key as `SBKUBE_STATE_KEY` takes it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse_key(text: str, origin: str) -> StateKey:
    """A key from its base64 form; `origin` (variable or file) goes into the error.

    Several keys stand beside each other, separated by commas or blanks: the first one is used, the others are its
    older ones.
    """
    words = text.replace(",", " ").split() or [""]
    older = [_parse_one(word, origin, ()) for word in words[1:]]
    return _parse_one(words[0], origin, older)


def _parse_one(word: str, origin: str, older: Sequence[StateKey]) -> StateKey:
    try:
        return StateKey(base64.b64decode(word, validate=True), older)
    except binascii.Error as error:
        raise StateError(
            "the state key is not base64", subject=origin, hint="make one: sbkube state key"
        ) from error
    except StateError as error:
        raise StateError(error.message, subject=origin, hint=error.hint) from error


def key_file(database: Path) -> Path:
    """The key file that stands beside a SQLite file."""
    return database.with_name(database.name + ".key")


def load_key(environ: Mapping[str, str], file: Path | None, *, create: bool) -> StateKey | None:
    """The key of the environment, else of the file, else (with `create`) a new file of mode 0600, else None."""
    if text := environ.get(KEY_VARIABLE):
        return parse_key(text, KEY_VARIABLE)
    if file is None:
        return None
    if not file.exists():
        if not create:
            return None
        _write_new(file, new_key_text())
    if file.stat().st_mode & 0o077 and os.name == "posix":
        raise StateError("the key file can be read by others", subject=str(file), hint=f"chmod 600 {file}")
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        hint = f"make it yours and readable, or set {KEY_VARIABLE}"
        raise StateError(f"the key file cannot be read: {reason}", subject=str(file), hint=hint) from error
    return parse_key(text, str(file))


def write_keys(file: Path, texts: Sequence[str]) -> None:
    """Replace a key file by one with these keys (base64, the first is used), at once and safely on the disk."""
    draft = _draft(file, "\n".join(texts))
    draft.replace(file)


def _write_new(file: Path, text: str) -> None:
    """Appear complete or not at all; if another process was first, its key stays."""
    draft = _draft(file, text)
    try:
        os.link(draft, file)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _draft(file: Path, text: str) -> Path:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return draft
