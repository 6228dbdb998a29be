"""What counts as secret of a file that was decrypted."""

from __future__ import annotations

from pathlib import Path

from sops_files import identity, sops

from sbkube.edges.decryption import Decryption


def test_what_sops_left_in_clear_is_no_secret() -> None:
    who = identity()
    content = {"colour_unencrypted": "blue", "db": {"password": "planted", "ports": [5432, {"name": "tcp"}]}}
    decryption = Decryption({"SOPS_AGE_KEY": str(who)})
    assert decryption.document(sops(content, who), Path("values.yaml")) == content
    assert decryption.known == {"planted", "5432", "tcp"}
