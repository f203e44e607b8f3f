"""Keys in a device of GM/T 0018: what goes wrong with devices, and many threads on one.

That its signatures are everyone's, tests/vectors/test_crypto_conformance.py shows.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crypto import sm2
from crypto.errors import KeyInvalid
from crypto.providers.sdf import SESSIONS_MAX, Device, DeviceFault, SdfProvider
from tests.sdf import soft

PRIVATE = (0xC0FFEE).to_bytes(32, "big")


@pytest.fixture
def broken() -> Iterator[None]:
    yield
    soft.set_broken(0)


def test_a_library_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceFault, match="absolute"):
        Device(Path("libsdf.so"))
    (tmp_path / "no.so").write_bytes(b"\x7fELF")
    for name in ("no.so", "missing.so"):
        with pytest.raises(DeviceFault, match="cannot be loaded"):
            Device(tmp_path / name)
    with pytest.raises(DeviceFault, match="no library of GM/T 0018"):
        Device(soft.library("-DSDF_OpenSession=SDF_Other"))


def test_a_wrong_password_index_or_key_is_told_without_the_password() -> None:
    index = soft.load(PRIVATE)
    with pytest.raises(DeviceFault, match="check the password") as refused:
        SdfProvider(soft.device(), index, b"s3cret")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(DeviceFault, match="no such key"):
        SdfProvider(soft.device(), 1000, soft.PASSWORD)
    for index, password in ((0, b"x"), (5000, b"x"), (1, b""), (1, b"x" * 65)):
        with pytest.raises(KeyInvalid):
            SdfProvider(soft.device(), index, password)


def test_a_device_that_signs_wrongly_is_found_before_anyone_else_finds_it(broken: None) -> None:
    provider = soft.provider(PRIVATE)
    soft.set_broken(1)
    with pytest.raises(DeviceFault, match="signed wrongly"):
        provider.sign(b"vote")
    soft.set_broken(0)
    sm2.verify(provider.public_key, b"vote", provider.sign(b"vote"))


@pytest.mark.parametrize(("how", "kind"), [(2, KeyInvalid), (3, DeviceFault)])
def test_structures_of_another_form_are_noticed(
    broken: None, how: int, kind: type[Exception]
) -> None:
    soft.set_broken(how)
    with pytest.raises(kind):
        soft.provider(PRIVATE)


def test_a_device_without_decryption_says_so() -> None:
    options = ("-DWITHOUT_DECRYPT",)
    index = soft.load(PRIVATE, *options)
    provider = SdfProvider(soft.device(*options), index, soft.PASSWORD)
    with pytest.raises(DeviceFault, match="SDF_InternalDecrypt_ECC"):
        provider.decrypt(sm2.encrypt(provider.public_key, b"secret"))


def test_many_threads_share_a_few_sessions() -> None:
    provider = soft.provider(PRIVATE)
    messages = [b"%d" % number for number in range(8 * SESSIONS_MAX)]
    with ThreadPoolExecutor(3 * SESSIONS_MAX) as pool:
        signatures = list(pool.map(provider.sign, messages))
    for message, signature in zip(messages, signatures, strict=True):
        provider.verify(provider.public_key, message, signature)


def test_the_provider_gives_nothing_away() -> None:
    provider = soft.provider(PRIVATE)
    assert PRIVATE.hex() not in repr(provider)
    with pytest.raises(TypeError):
        pickle.dumps(provider)
