from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from crypto import der, keys, sm2, sm4
from crypto.errors import KeyFileInvalid, KeyInvalid

PRIVATE = (0x1CEB00DA).to_bytes(32, "big")
PASSPHRASE = b"correct horse"
FAST = keys.ITERATIONS_MIN


def pem(derivation: keys.Derivation = keys.Derivation.HMAC_SHA256) -> bytes:
    return keys.key_to_pem(PRIVATE, PASSPHRASE, derivation=derivation, iterations=FAST)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "node.pem"
    path.write_bytes(pem())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("derivation", keys.Derivation)
def test_a_key_comes_back_from_pem(derivation: keys.Derivation) -> None:
    text = pem(derivation)
    assert text.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert max(map(len, text.splitlines())) <= 64
    assert keys.pem_to_key(text, PASSPHRASE) == PRIVATE
    assert keys.pem_to_key(text.replace(b"\n", b"\r\n"), PASSPHRASE) == PRIVATE


def test_a_saved_key_is_for_its_owner_only_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    keys.save_key(path, PRIVATE, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load_key(path, PASSPHRASE) == PRIVATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_an_existing_key_is_not_overwritten_by_accident(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(KeyFileInvalid, match="not overwritten"):
        keys.save_key(saved, PRIVATE, b"new")
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 1


def test_a_passphrase_can_be_changed(saved: Path) -> None:
    keys.save_key(saved, PRIVATE, b"new", replace=True)
    assert keys.load_key(saved, b"new") == PRIVATE
    with pytest.raises(KeyFileInvalid):
        keys.load_key(saved, PASSPHRASE)


def test_nothing_is_left_behind_when_the_key_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(KeyInvalid):
        keys.save_key(tmp_path / "key.pem", bytes(32), PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601, 0o610, 0o777])
def test_a_key_file_open_to_others_is_refused_with_the_cure(saved: Path, mode: int) -> None:
    saved.chmod(mode)
    with pytest.raises(KeyFileInvalid, match=f"chmod 600 {saved}"):
        keys.load_key(saved, PASSPHRASE)


def test_a_missing_file_or_a_directory_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", tmp_path):
        with pytest.raises(KeyFileInvalid, match=str(path)):
            keys.load_key(path, PASSPHRASE)


def test_a_wrong_passphrase_is_refused_and_not_shown() -> None:
    """Of 600 tries two or so pass the padding: the key itself must not."""
    text = pem()
    for count in range(600):
        wrong = b"Tr0ub4dor%d" % count
        with pytest.raises(KeyFileInvalid, match="passphrase is wrong") as caught:
            keys.pem_to_key(text, wrong)
        assert "Tr0ub4dor" not in str(caught.value)


@pytest.mark.parametrize("passphrase", [b"", b"p" * (keys.PASSPHRASE_BYTES_MAX + 1)])
def test_an_empty_or_endless_passphrase_is_refused(passphrase: bytes) -> None:
    with pytest.raises(KeyFileInvalid):
        keys.key_to_pem(PRIVATE, passphrase)
    with pytest.raises(KeyFileInvalid):
        keys.pem_to_key(pem(), passphrase)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA=AAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        pem().replace(b"ENCRYPTED ", b""),
        pem()[:-20],
        pem() + pem(),
        pem() + b"x" * keys.FILE_BYTES_MAX,
        b"\xff\xfe" + pem(),
    ],
)
def test_what_is_no_key_file_is_refused(text: bytes) -> None:
    with pytest.raises(KeyFileInvalid):
        keys.pem_to_key(text, PASSPHRASE)


def wrap(encoded: bytes) -> bytes:
    return (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.encodebytes(encoded)
        + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )


def encoded() -> bytes:
    return base64.b64decode(b"".join(pem().splitlines()[1:-1]))


def test_no_byte_of_a_key_file_can_be_changed_into_another_key() -> None:
    original = encoded()
    for place in range(len(original)):
        changed = original[:place] + bytes((original[place] ^ 4,)) + original[place + 1 :]
        try:
            assert keys.pem_to_key(wrap(changed), PASSPHRASE) == PRIVATE
        except KeyFileInvalid:
            continue


INFO_HEAD = (
    der.integer(0),
    der.sequence(der.object_id("1.2.840.10045.2.1"), der.object_id("1.2.156.10197.1.301")),
)


def sealed(
    info: bytes,
    *,
    iterations: int = FAST,
    salt: bytes = b"s" * 16,
    cipher: str = "sm4",
    size: int = 16,
) -> bytes:
    """A key file around any content and parameters."""
    rounds = max(1, min(iterations, FAST))
    key = hashlib.pbkdf2_hmac("sha256", PASSPHRASE, salt, rounds, sm4.KEY_BYTES)
    prf = der.sequence(der.object_id("1.2.840.113549.2.9"), der.null())
    function = der.sequence(
        der.object_id("1.2.840.113549.1.5.12"),
        der.sequence(der.octets(salt), der.integer(iterations), der.integer(size), prf),
    )
    name = {"sm4": "1.2.156.10197.1.104.2", "aes": "2.16.840.1.101.3.4.1.42"}[cipher]
    scheme = der.sequence(der.object_id(name), der.octets(bytes(16)))
    algorithm = der.sequence(der.object_id("1.2.840.113549.1.5.13"), der.sequence(function, scheme))
    return wrap(der.sequence(algorithm, der.octets(sm4.encrypt_cbc(key, bytes(16), info))))


def info(private: bytes, *more: bytes) -> bytes:
    return der.sequence(
        *INFO_HEAD, der.octets(der.sequence(der.integer(1), der.octets(private), *more))
    )


def test_a_key_without_its_public_half_loads() -> None:
    assert keys.pem_to_key(sealed(info(PRIVATE)), PASSPHRASE) == PRIVATE


@pytest.mark.parametrize(
    "content",
    [
        info(bytes(32)),
        info(PRIVATE[1:]),
        info(b"\xff" * 32),
        info(PRIVATE, der.tagged(1, der.bits(b"\x04" + sm2.public_key(sm2.generate())))),
        info(PRIVATE, der.null()),
        info(PRIVATE) + b"\0",
        der.sequence(der.integer(0), der.sequence(der.object_id("1.2.840.113549.1.1.1"))),
        b"",
    ],
    ids=["zero", "short", "high", "public of another", "more", "trailing", "rsa", "empty"],
)
def test_a_decrypted_file_without_a_valid_key_is_refused(content: bytes) -> None:
    with pytest.raises(KeyFileInvalid):
        keys.pem_to_key(sealed(content), PASSPHRASE)


def test_parameters_outside_the_limits_are_refused_before_any_work() -> None:
    for text in (
        sealed(info(PRIVATE), iterations=keys.ITERATIONS_MAX + 1),
        sealed(info(PRIVATE), iterations=2**64),
        sealed(info(PRIVATE), iterations=1),
        sealed(info(PRIVATE), salt=b"short"),
        sealed(info(PRIVATE), salt=b"s" * 65),
        sealed(info(PRIVATE), size=32),
        sealed(info(PRIVATE), cipher="aes"),
    ):
        with pytest.raises(KeyFileInvalid, match="openssl pkcs8 -topk8 -v2 sm4-cbc"):
            keys.pem_to_key(text, PASSPHRASE)
