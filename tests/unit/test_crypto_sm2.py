from __future__ import annotations

import ctypes
import pickle
import subprocess
import sys
import threading

import pytest

from crypto import sm2
from crypto.errors import (
    CryptoError,
    KeyInvalid,
    LibcryptoMissing,
    PlaintextInvalid,
    SignatureInvalid,
)
from crypto.libcrypto import SONAME, library
from crypto.providers.software import SoftwareProvider


def test_generated_keys_differ_and_are_in_range() -> None:
    keys = {sm2.generate() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert len(sm2.public_key(key)) == 64


def test_the_signer_id_is_part_of_what_is_signed() -> None:
    private = sm2.generate()
    public = sm2.public_key(private)
    signature = sm2.sign(private, b"m", signer_id=b"ALICE123@YAHOO.COM")
    sm2.verify(public, b"m", signature, signer_id=b"ALICE123@YAHOO.COM")
    with pytest.raises(SignatureInvalid):
        sm2.verify(public, b"m", signature)
    with pytest.raises(SignatureInvalid):
        sm2.verify(public, b"m", signature, signer_id=b"ALICE123@YAHOO.CON")


def test_the_longest_signer_id_works() -> None:
    private = sm2.generate()
    longest = b"i" * sm2.SIGNER_ID_BYTES_MAX
    signature = sm2.sign(private, b"m", signer_id=longest)
    sm2.verify(sm2.public_key(private), b"m", signature, signer_id=longest)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        bytes.fromhex("3003020101"),  # s is missing
        bytes.fromhex("3006020101020100"),  # s = 0
        bytes.fromhex("3006020100020101"),  # r = 0
        bytes.fromhex("300602010102018f"),  # s negative
        bytes.fromhex("300702010102020001"),  # s with a leading zero
        bytes.fromhex("30810602010102010 1".replace(" ", "")),  # long form of a short length
        bytes.fromhex("30060201010201010 0".replace(" ", "")),  # bytes after the end
        bytes.fromhex("3007020101020101") + b"\0",  # bytes inside, after s
        bytes.fromhex("3080020101020101") + b"\0\0",  # indefinite length
        bytes.fromhex("3106020101020101"),  # a SET
        bytes.fromhex("3027020101022201") + b"\0" * 33,  # s of 34 bytes
        b"\x30\x06\x02\x01\x01\x02\x05\x01",  # cut
    ],
)
def test_a_signature_in_sloppy_der_is_refused(encoded: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        sm2.signature_from_der(encoded)


def test_der_and_raw_signatures_are_two_forms_of_one() -> None:
    short = (5).to_bytes(32, "big") + (0x80).to_bytes(32, "big")
    assert sm2.signature_to_der(short) == bytes.fromhex("300702010502020080")
    private = sm2.generate()
    for signature in (short, sm2.sign(private, b"m")):
        assert sm2.signature_from_der(sm2.signature_to_der(signature)) == signature
    with pytest.raises(SignatureInvalid):
        sm2.signature_to_der(bytes(64))


@pytest.mark.parametrize("size", [0, sm2.PLAINTEXT_BYTES_MAX + 1])
def test_nothing_and_too_much_is_not_encrypted(size: int) -> None:
    with pytest.raises(PlaintextInvalid):
        sm2.encrypt(sm2.public_key(sm2.generate()), bytes(size))


def test_nobody_encrypts_to_a_point_off_the_curve() -> None:
    with pytest.raises(KeyInvalid):
        sm2.encrypt(b"\1" * 64, b"secret")


def test_many_threads_sign_and_verify_with_few_keys() -> None:
    keys = [sm2.generate() for _ in range(3)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(25):
                private = keys[(number + count) % 3]
                message = b"%d %d" % (number, count)
                signature = sm2.sign(private, message)
                sm2.verify(sm2.public_key(private), message, signature)
                with pytest.raises(SignatureInvalid):
                    sm2.verify(sm2.public_key(private), message + b"x", signature)
                assert sm2.decrypt(private, sm2.encrypt(sm2.public_key(private), message))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_more_keys_than_are_kept_prepared_still_work() -> None:
    private = sm2.generate()
    message, public = b"m", sm2.public_key(private)
    signature = sm2.sign(private, message)
    for _ in range(40):
        sm2.sign(sm2.generate(), message)
    sm2.verify(public, message, signature)
    sm2.verify(public, message, sm2.sign(private, message))


def test_a_key_shows_in_no_repr_exception_or_pickle() -> None:
    private = sm2.generate()
    provider = SoftwareProvider(private)
    spellings = (private.hex(), private.hex().upper(), repr(private), str(int.from_bytes(private)))
    assert provider.public_key.hex() in repr(provider)
    with pytest.raises(TypeError) as pickled:
        pickle.dumps(provider)
    with pytest.raises(CryptoError) as refused:
        provider.decrypt(b"\x04" + provider.public_key + bytes(40))
    with pytest.raises(KeyInvalid) as too_long:
        sm2.sign(private + b"\0", b"m")
    shown = (repr(provider), str(provider), str(pickled.value), str(refused.value))
    for text in (*shown, repr(refused.value), str(too_long.value)):
        assert not any(spelling in text for spelling in spellings)
    assert not hasattr(provider, "__dict__")


def test_a_missing_library_is_named_with_its_package() -> None:
    with pytest.raises(LibcryptoMissing, match=r"libnowhere\.so\.9.*apt-get install libssl3"):
        library("libnowhere.so.9")


def test_what_others_left_in_the_error_queue_is_no_fault_of_a_verification() -> None:
    """The queue belongs to the thread: Python's ssl and hashlib use it as well."""
    queue = ctypes.CDLL(SONAME)
    private = sm2.generate()
    public, signature = sm2.public_key(private), sm2.sign(private, b"m")
    for message in (b"m", b"another"):
        queue.ERR_new()
        queue.ERR_set_error(6, 100, None)
        if message == b"m":
            sm2.verify(public, message, signature)
        else:
            with pytest.raises(SignatureInvalid):
                sm2.verify(public, message, signature)
    queue.ERR_clear_error()


def test_the_library_tells_its_version() -> None:
    assert library().version().startswith("OpenSSL 3.")


def test_importing_sm2_loads_neither_a_c_parser_nor_a_second_openssl() -> None:
    """The contract worker and every command import this package: it has to stay light."""
    code = (
        "import sys, crypto.sm2, crypto.provider\n"
        "print(sorted({'cffi', 'pycparser', 'cryptography', 'asn1crypto'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
