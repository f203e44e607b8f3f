"""Second opinions: pure-Python gmssl, and the openssl command line.

gmssl 3.2.2 is wrong in known places, which are avoided here: it strips leading 0 and 4 digits
of public keys, and refuses sG = tP. Its order C1C3C2 is mode 1, not the default its text claims.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from gmssl.sm2 import CryptSM2

from crypto import keys, sm2, sm3
from crypto.errors import SignatureInvalid

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(
    OPENSSL is None, reason="no openssl command; run: apt-get install openssl"
)
DISTID = "distid:1234567812345678"
ROUNDS = 12


def pair_for_gmssl() -> tuple[bytes, CryptSM2]:
    while True:
        private = sm2.generate()
        public = sm2.public_key(private).hex()
        if public[0] not in "04":
            return private, CryptSM2(private_key=private.hex(), public_key=public, mode=1)


def test_gmssl_accepts_our_signatures() -> None:
    for count in range(ROUNDS):
        private, other = pair_for_gmssl()
        message = random.Random(count).randbytes(count * 17 + 1)
        signature = sm2.sign(private, message)
        assert other.verify_with_sm3(signature.hex(), message)
        assert not other.verify_with_sm3(signature.hex(), message + b"x")


def test_we_accept_the_signatures_of_gmssl() -> None:
    for count in range(ROUNDS):
        private, other = pair_for_gmssl()
        message = random.Random(count).randbytes(count * 17 + 1)
        signature = bytes.fromhex(other.sign_with_sm3(message))
        sm2.verify(sm2.public_key(private), message, signature)
        with pytest.raises(SignatureInvalid):
            sm2.verify(sm2.public_key(private), message + b"x", signature)


def test_gmssl_opens_our_ciphertexts_and_we_open_its() -> None:
    for count in range(1, ROUNDS):
        private, other = pair_for_gmssl()
        plaintext = random.Random(count).randbytes(count * 9 + 8)
        ours = sm2.encrypt(sm2.public_key(private), plaintext)
        assert other.decrypt(ours[1:]) == plaintext  # gmssl leaves out the point's tag 04
        assert sm2.decrypt(private, b"\x04" + other.encrypt(plaintext)) == plaintext


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    assert OPENSSL is not None
    command = [OPENSSL, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=20, check=False)


@pytest.fixture
def private() -> bytes:
    return sm2.generate()


@pytest.fixture
def key_file(tmp_path: Path, private: bytes) -> Path:
    path = tmp_path / "key.pem"
    keys.save_key(path, private, b"open sesame")
    return path


@needs_openssl
def test_openssl_opens_our_key_file_and_finds_the_same_key(key_file: Path, private: bytes) -> None:
    shown = run("pkey", "-in", key_file, "-passin", "pass:open sesame", "-noout", "-text")
    assert shown.returncode == 0, shown.stderr
    digits = "".join(shown.stdout.decode().replace(":", "").split())
    assert private.hex() in digits
    assert sm2.public_key(private).hex() in digits
    checked = run("pkey", "-in", key_file, "-passin", "pass:open sesame", "-noout", "-check")
    assert checked.returncode == 0, checked.stderr
    refused = run("pkey", "-in", key_file, "-passin", "pass:wrong", "-noout")
    assert refused.returncode != 0


@needs_openssl
def test_we_open_a_key_file_that_openssl_encrypted(tmp_path: Path) -> None:
    clear, encrypted = tmp_path / "clear.pem", tmp_path / "key.pem"
    assert run("genpkey", "-algorithm", "SM2", "-out", clear).returncode == 0
    scheme = ("-topk8", "-v2", "sm4-cbc", "-v2prf", "hmacWithSHA256")
    made = run("pkcs8", *scheme, "-in", clear, "-out", encrypted, "-passout", "pass:secret")
    assert made.returncode == 0, made.stderr
    encrypted.chmod(0o600)
    private = keys.load_key(encrypted, b"secret")
    public_der = run("pkey", "-in", clear, "-pubout", "-outform", "DER").stdout
    assert public_der.endswith(b"\x04" + sm2.public_key(private))


@needs_openssl
def test_openssl_verifies_our_signature_and_we_verify_its(
    tmp_path: Path, key_file: Path, private: bytes
) -> None:
    message, ours, theirs = (tmp_path / name for name in ("message", "ours.der", "theirs.der"))
    public_pem = tmp_path / "public.pem"
    message.write_bytes(b"to be signed by both")
    passphrase = ("-passin", "pass:open sesame")
    assert run("pkey", "-in", key_file, *passphrase, "-pubout", "-out", public_pem).returncode == 0

    ours.write_bytes(sm2.signature_to_der(sm2.sign(private, message.read_bytes())))
    verify = ("dgst", "-sm3", "-verify", public_pem, "-sigopt", DISTID)
    verified = run(*verify, "-signature", ours, message)
    assert verified.stdout == b"Verified OK\n", verified.stderr

    sign = ("dgst", "-sm3", "-sign", key_file, *passphrase, "-sigopt", DISTID)
    assert run(*sign, "-out", theirs, message).returncode == 0
    signature = sm2.signature_from_der(theirs.read_bytes())
    sm2.verify(sm2.public_key(private), message.read_bytes(), signature)


@needs_openssl
def test_openssl_verifies_our_signature_over_a_longer_message_with_pkeyutl(
    tmp_path: Path, key_file: Path, private: bytes
) -> None:
    message, ours = tmp_path / "message", tmp_path / "ours.der"
    message.write_bytes(b"m" * 777)
    ours.write_bytes(sm2.signature_to_der(sm2.sign(private, message.read_bytes())))
    verified = run(
        *("pkeyutl", "-verify", "-inkey", key_file, "-passin", "pass:open sesame"),
        *("-rawin", "-digest", "sm3", "-in", message, "-sigfile", ours, "-pkeyopt", DISTID),
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@needs_openssl
def test_openssl_gives_the_same_digests() -> None:
    for size in (0, 1, 55, 56, 63, 64, 65, 1000):
        data = random.Random(size).randbytes(size)
        assert run("dgst", "-sm3", "-binary", stdin=data).stdout == sm3.digest(data)


def test_an_empty_signer_id_is_not_the_default_one(private: bytes) -> None:
    """OpenSSL before 4.0 signs with an empty ID unless told otherwise."""
    signature = sm2.sign(private, b"m", signer_id=b"")
    sm2.verify(sm2.public_key(private), b"m", signature, signer_id=b"")
    with pytest.raises(SignatureInvalid):
        sm2.verify(sm2.public_key(private), b"m", signature)
