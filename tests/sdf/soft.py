"""The device in software, compiled once per run of the tests, and providers over its keys."""

from __future__ import annotations

import ctypes
import functools
import itertools
import subprocess
import tempfile
from pathlib import Path

from crypto.curve import check_private
from crypto.providers.sdf import Device, SdfProvider

SOURCE = Path(__file__).with_name("soft_sdf.c")
PASSWORD = b"operator"
KEYS = 16  # of the device; the index 0 is never used

_FOLDER = tempfile.TemporaryDirectory(prefix="soft-sdf-")  # gone with the process
_indexes = itertools.count()


@functools.cache
def library(*options: str) -> Path:
    """The compiled library; `options` are the compiler's."""
    path = Path(_FOLDER.name) / f"soft_sdf{'-'.join(options)}.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *options)
    linked = ("-l:libcrypto.so.3", "-lpthread")
    subprocess.run(["gcc", *flags, "-o", str(path), str(SOURCE), *linked], check=True, timeout=60)
    return path


@functools.cache
def device(*options: str) -> Device:
    return Device(library(*options))


def load(private: bytes, *options: str, password: bytes = PASSWORD) -> int:
    """Put a private key into the device, which takes none out of range; its index."""
    check_private(private)
    index = 1 + next(_indexes) % (KEYS - 1)
    loaded = ctypes.CDLL(str(library(*options)))
    assert loaded.SoftSDF_LoadKey(index, private, password) == 0
    return index


def provider(private: bytes) -> SdfProvider:
    """A provider over a private key that is put into the device."""
    return SdfProvider(device(), load(private), PASSWORD)


def set_broken(how: int, *options: str) -> None:
    """1: sign wrongly. 2: keys of another size. 3: numbers in another form. 0: work again."""
    ctypes.CDLL(str(library(*options))).SoftSDF_Break(how)
