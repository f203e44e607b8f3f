"""Sealed evidence: opened by whom it names, as it was, in its place; by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from client.sealed import CONTENT_MAX, Sealed, SealedInvalid, seal, unseal
from crypto import envelope, sm2
from crypto.errors import DecryptionFailed

KEYS = {name: sm2.generate() for name in ("insurer", "bureau", "opco")}
READERS = [(name, sm2.public_key(private)) for name, private in KEYS.items()]


@pytest.mark.parametrize("content", [b"", b"yes", bytes(CONTENT_MAX)])
def test_each_reader_opens_the_same_thing(content: bytes) -> None:
    sealed = seal("e1", content, READERS)
    assert len(sealed.payload) <= 32 * 1024
    for party, private in KEYS.items():
        assert unseal("e1", sealed, party, private) == content


def test_a_short_thing_has_another_digest_each_time() -> None:
    assert seal("e1", b"yes", READERS).digest != seal("e1", b"yes", READERS).digest


def test_what_is_too_large_or_sealed_to_no_key_is_refused() -> None:
    with pytest.raises(SealedInvalid, match="record its digest"):
        seal("e1", bytes(CONTENT_MAX + 1), READERS)
    with pytest.raises(SealedInvalid, match="these keys"):
        seal("e1", b"", [("opco", bytes(64))])


def _swapped(sealed: Sealed) -> Sealed:
    (first, one), (second, two), third = sealed.keys
    return replace(sealed, keys=((first, two), (second, one), third))


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda one: replace(one, digest=bytes(32)),
        lambda one: replace(one, payload=one.payload[:-1]),
        lambda one: replace(one, payload=b""),
        lambda one: replace(one, payload=b"\x01" + one.payload[1:]),
        lambda one: replace(one, payload=one.payload[:20] + b"\0" + one.payload[21:]),
        lambda one: replace(one, keys=one.keys[:2]),
        lambda one: replace(one, keys=(*one.keys[:2], ("opco", b"short"))),
        _swapped,
    ],
)
def test_what_was_exchanged_or_damaged_does_not_open(spoilt: Callable[[Sealed], Sealed]) -> None:
    sealed = spoilt(seal("e1", b"the decision", READERS))
    with pytest.raises(SealedInvalid):
        unseal("e1", sealed, "insurer", KEYS["insurer"])


def test_it_opens_in_its_place_alone_and_for_its_readers_alone() -> None:
    sealed = seal("e1", b"the decision", READERS)
    with pytest.raises(SealedInvalid):
        unseal("e2", sealed, "insurer", KEYS["insurer"])
    with pytest.raises(SealedInvalid, match="with --key"):
        unseal("e1", sealed, "insurer", KEYS["opco"])
    with pytest.raises(SealedInvalid, match="not to bank"):
        unseal("e1", sealed, "bank", KEYS["opco"])


def test_a_shared_envelope_and_one_of_its_own_are_not_taken_for_each_other() -> None:
    private = KEYS["opco"]
    public = sm2.public_key(private)
    alone = envelope.seal_to(public, b"x", b"")
    shared, wrapped = envelope.seal_to_each([public], b"x", b"")
    assert envelope.open_shared(private, shared, wrapped, 0, b"") == b"x"
    with pytest.raises(DecryptionFailed):
        envelope.open_shared(private, alone, wrapped, 0, b"")
    with pytest.raises(DecryptionFailed):
        envelope.open_with(private, shared + bytes(200), b"")
    for mine in (-1, 1):
        with pytest.raises(DecryptionFailed):
            envelope.open_shared(private, shared, wrapped, mine, b"")
