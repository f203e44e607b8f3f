from __future__ import annotations

import pytest

from crypto import envelope, sm2
from crypto.errors import DecryptionFailed, KeyInvalid

PRIVATE = (0x5EA1).to_bytes(32, "big")
PUBLIC = sm2.public_key(PRIVATE)


@pytest.mark.parametrize("size", [0, 1, 100, 50_000])
def test_the_owner_opens_the_envelope(size: int) -> None:
    sealed = envelope.seal_to(PUBLIC, b"s" * size, b"task 7")
    assert len(sealed) == size + envelope.OVERHEAD_BYTES
    assert envelope.open_with(PRIVATE, sealed, b"task 7") == b"s" * size


def test_two_envelopes_of_one_text_have_nothing_in_common() -> None:
    first, second = (envelope.seal_to(PUBLIC, b"text" * 8, b"") for _ in range(2))
    assert first[1:65] != second[1:65] and first[-48:] != second[-48:]


def test_nobody_else_opens_it() -> None:
    sealed = envelope.seal_to(PUBLIC, b"text", b"")
    with pytest.raises(DecryptionFailed):
        envelope.open_with(sm2.generate(), sealed, b"")


def test_it_opens_only_in_its_place() -> None:
    sealed = envelope.seal_to(PUBLIC, b"text", b"task 7")
    with pytest.raises(DecryptionFailed):
        envelope.open_with(PRIVATE, sealed, b"task 8")


def test_no_byte_of_it_may_change() -> None:
    sealed = envelope.seal_to(PUBLIC, b"text", b"a")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(DecryptionFailed):
            envelope.open_with(PRIVATE, bytes(changed), b"a")


@pytest.mark.parametrize("size", [0, 1, 114, 125, envelope.OVERHEAD_BYTES - 1])
def test_a_cut_envelope_does_not_open(size: int) -> None:
    sealed = envelope.seal_to(PUBLIC, b"", b"")
    with pytest.raises(DecryptionFailed):
        envelope.open_with(PRIVATE, sealed[:size], b"")


def test_parts_of_two_envelopes_do_not_combine() -> None:
    first, second = (envelope.seal_to(PUBLIC, b"text", b"") for _ in range(2))
    with pytest.raises(DecryptionFailed):
        envelope.open_with(PRIVATE, first[:114] + second[114:], b"")


def test_the_content_key_cannot_be_wrapped_anew() -> None:
    """Whoever opened an envelope must not be able to make a second one with the same content."""
    sealed = envelope.seal_to(PUBLIC, b"text", b"")
    wrapped_again = sm2.encrypt(PUBLIC, sm2.decrypt(PRIVATE, sealed[1:114]))
    with pytest.raises(DecryptionFailed):
        envelope.open_with(PRIVATE, sealed[:1] + wrapped_again + sealed[114:], b"")


def test_sealing_to_no_key_is_refused() -> None:
    with pytest.raises(KeyInvalid):
        envelope.seal_to(bytes(64), b"text", b"")
