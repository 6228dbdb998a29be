"""Files as sops writes them, for one age recipient; written from the description of the format."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

WHEN = "2026-11-26T12:00:00Z"


def identity() -> Any:
    """A new age identity; `str()` of it is the secret key."""
    return pyrage.x25519.Identity.generate()


def _value(text: str, kind: str, aad: str, key: bytes) -> str:
    nonce = os.urandom(32)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), aad.encode())
    data, iv, tag = (base64.b64encode(part).decode() for part in (sealed[:-16], nonce, sealed[-16:]))
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]"


def _sealed(value: Any, aad: str, key: bytes, digest: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sealed(below, f"{aad}{name}:", key, digest) for name, below in value.items()}
    if isinstance(value, list):
        return [_sealed(item, aad, key, digest) for item in value]
    if value is None:
        return None
    text = str(value)  # True and False as well
    digest.update(text.encode())
    if f":{aad}".endswith("_unencrypted:"):
        return value
    kind = {bool: "bool", int: "int", float: "float"}.get(type(value), "str")
    return _value(text, kind, aad, key)


def sops(content: dict[str, Any], who: Any) -> dict[str, Any]:
    """The content as sops encrypts it for an identity."""
    key, digest = os.urandom(32), hashlib.sha512()
    sealed = _sealed(content, "", key, digest)
    enc = pyrage.encrypt(key, [who.to_public()], armored=True).decode()
    mac = _value(digest.hexdigest().upper(), "str", WHEN, key)
    meta = {"age": [{"recipient": str(who.to_public()), "enc": enc}], "lastmodified": WHEN, "mac": mac}
    return {**sealed, "sops": {**meta, "version": "3.11.0"}}


def age(content: bytes, who: Any) -> bytes:
    """A whole file as age encrypts it."""
    return bytes(pyrage.encrypt(content, [who.to_public()], armored=True))
