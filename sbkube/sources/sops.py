"""Files that `sops` encrypted: values are decrypted in memory, and their MAC is verified.

The format: each value is `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` under a data key of the file, with the names
above it as additional data; below `sops` stand the data key, encrypted for each recipient, and a MAC over all
values in order (getsops.io/docs, "Important information on types" and "Encryption protocol").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from sbkube.errors import RenderError

METADATA = "sops"
AGE_HEADERS = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")
_VALUE = re.compile(r"ENC\[AES256_GCM,data:(.*),iv:(.+),tag:(.+),type:(\w+)\]")
OpenAge = Callable[[bytes], bytes]


def is_sops(value: Any) -> bool:
    """Whether a document was encrypted by sops."""
    meta = value.get(METADATA) if isinstance(value, Mapping) else None
    return isinstance(meta, Mapping) and "mac" in meta


def is_age(content: bytes) -> bool:
    """Whether a file was encrypted by age as a whole."""
    return content.lstrip().startswith(AGE_HEADERS)


def for_age(value: Mapping[str, Any]) -> bool:
    """Whether the data key is encrypted for age recipients, and nothing else is needed that only `sops` can do."""
    meta = value[METADATA]
    return bool(meta.get("age")) and not meta.get("mac_only_encrypted") and not meta.get("shamir_threshold")


def decrypted(value: Mapping[str, Any], open_age: OpenAge) -> dict[str, Any]:
    """The document without its encryption and its metadata.

    Raises RenderError where no key fits, and where a value or the MAC was altered.
    """
    meta = value[METADATA]
    key = _data_key(meta, open_age)
    digest = hashlib.sha512()
    plain = {name: _plain(below, (name,), key, digest) for name, below in value.items() if name != METADATA}
    mac = _open(str(meta["mac"]), str(meta.get("lastmodified", "")), key)
    if mac is None or mac[0].decode().upper() != digest.hexdigest().upper():
        raise RenderError("the file was altered after it was encrypted: its MAC does not fit")
    return plain


def _data_key(meta: Mapping[str, Any], open_age: OpenAge) -> bytes:
    reasons = []
    for recipient in meta.get("age") or ():
        try:
            return open_age(str(recipient["enc"]).encode())
        except RenderError as error:
            reasons.append(error)
    raise reasons[0] if reasons else RenderError("it names no age recipient", hint="install the sops program")


def _plain(value: Any, path: tuple[str, ...], key: bytes, digest: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(below, (*path, str(name)), key, digest) for name, below in value.items()}
    if isinstance(value, list):
        return [_plain(item, path, key, digest) for item in value]
    if value is None:
        return None
    opened = _open(value, "".join(f"{name}:" for name in path), key) if isinstance(value, str) else None
    if opened is None:
        digest.update(_bytes(value))
        return value
    content, kind = opened
    digest.update(content)
    return _typed(content, kind)


def _open(text: str, aad: str, key: bytes) -> tuple[bytes, str] | None:
    """Content and type of an encrypted value; None for one that is not encrypted. Raises RenderError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in match.groups()[:3])
        return AESGCM(key).decrypt(nonce, data + tag, aad.encode()), match[4]
    except (InvalidTag, ValueError, binascii.Error):
        where = aad.rstrip(":").replace(":", ".")
        raise RenderError(f"the value at {where} was altered, moved, or encrypted with another key") from None


def _bytes(value: Any) -> bytes:
    """A value that is not encrypted, as the MAC counts it."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    return str(value).encode()


def _typed(content: bytes, kind: str) -> Any:
    text = content.decode()
    match kind:
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return text.lower() == "true"
    return text
