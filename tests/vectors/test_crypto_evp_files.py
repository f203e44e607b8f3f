"""Test data of Tongsuo and OpenSSL in the EVP form, where it lies beside the project."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from crypto import der, sm2, sm3, sm4

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "gm"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="../shared/vectors/gm is absent: Tongsuo's EVP test files"
)


def stanzas(name: str) -> list[dict[str, str]]:
    """Runs of `Name = value` lines between blank lines; comments and keys in PEM left out."""
    found = []
    for block in (FOLDER / name).read_text().split("\n\n"):
        lines = [line.split("=", 1) for line in block.splitlines() if "=" in line]
        pairs = {key.strip(): value.strip() for key, value in lines if not key.startswith("#")}
        if pairs:
            found.append(pairs)
    return found


def value(text: str) -> bytes:
    return text[1:-1].encode() if text.startswith('"') else bytes.fromhex(text)


def private_key() -> bytes:
    text = (FOLDER / "evppkey_sm2.txt").read_text()
    pem = text.split("-----BEGIN PRIVATE KEY-----")[1].split("-----END")[0]
    info = der.Reader(base64.b64decode(pem)).sequence()
    assert info.integer() == 0
    info.sequence()
    pair = der.Reader(info.octets()).sequence()
    assert pair.integer() == 1
    return pair.octets()


def test_signatures_over_digests_verify() -> None:
    public = sm2.public_key(private_key())
    checked = 0
    for stanza in stanzas("evppkey_sm2.txt"):
        if "Verify" in stanza and stanza["Ctrl"] == "digest:SM3":
            signature = sm2.signature_from_der(value(stanza["Output"]))
            sm2.verify_digest(public, value(stanza["Input"]), signature)
            checked += 1
    assert checked >= 2


def test_ciphertexts_open() -> None:
    checked = 0
    for stanza in stanzas("evppkey_sm2.txt"):
        if "Decrypt" in stanza and "Result" not in stanza:
            items = der.Reader(value(stanza["Input"])).sequence()
            x, y = (items.integer().to_bytes(32, "big") for _ in range(2))
            raw = b"\x04" + x + y + items.octets() + items.octets()
            assert sm2.decrypt(private_key(), raw) == value(stanza["Output"])
            checked += 1
    assert checked >= 3


def test_digests_agree() -> None:
    found = [stanza for stanza in stanzas("evpmd_sm3.txt") if stanza.get("Digest") == "SM3"]
    assert len(found) >= 5
    for stanza in found:
        assert sm3.digest(value(stanza["Input"])) == value(stanza["Output"])


def test_macs_agree() -> None:
    found = [stanza for stanza in stanzas("evpmac_sm3.txt") if stanza.get("Algorithm") == "SM3"]
    assert len(found) >= 4
    for stanza in found:
        assert sm3.hmac(value(stanza["Key"]), value(stanza["Input"])) == value(stanza["Output"])


def test_ciphers_agree() -> None:
    checked = set()
    for stanza in stanzas("evpciph_sm4.txt"):
        cipher = stanza.get("Cipher")
        if cipher not in ("SM4-GCM", "SM4-CBC") or stanza.get("Operation") == "DECRYPT":
            continue
        key, vector, plaintext = (value(stanza[name]) for name in ("Key", "IV", "Plaintext"))
        if cipher == "SM4-GCM":
            sealed = sm4.seal(key, vector, plaintext, value(stanza["AAD"]))
            assert sealed == value(stanza["Ciphertext"]) + value(stanza["Tag"])
        else:
            padded = sm4.encrypt_cbc(key, vector, plaintext)
            expected = value(stanza["Ciphertext"])
            whole = len(plaintext) // 16 * 16
            assert padded[:whole] == expected[:whole]
        checked.add(cipher)
    assert checked == {"SM4-GCM", "SM4-CBC"}
