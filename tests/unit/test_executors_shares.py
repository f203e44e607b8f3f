"""Shares: commitments, sealing, opening, and what tampering looks like to the receiver."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec
import pytest

from crypto import sm2
from executors.errors import ShareInvalid
from executors.mpc.layout import layout_of
from executors.mpc.program import Measure, StatisticsProgram, encode_program
from executors.mpc.record import TranscriptEntry, transcript_root
from executors.mpc.reveal import ReportedShare, reveal
from executors.mpc.shares import (
    FRACTION_BITS,
    SEALED_SIZE_MAX,
    InputShare,
    OutputShare,
    Share,
    check_output,
    combine_whole,
    decode_input,
    input_commitment,
    open_output,
    output_commitment,
    seal_output,
)
from ledger.encoding import encode

PRIVATE = sm2.generate()
PUBLIC = sm2.public_key(PRIVATE)
PROGRAM = StatisticsProgram(
    version=1,
    measures=(Measure("claims", 2, 20, ("sum", "mean"), ()),),
    group_by="plan",
    groups=("a", "b"),
    counts=True,
    rows=(5, 5, 5),
    group_size_min=3,
)
HASH = bytes(range(32))


def split(values: Sequence[int], *, is_fixed: bool = False) -> list[Share]:
    """What SPU makes of a vector: written here on its own, from its wire format."""
    parts = [[secrets.randbelow(2**128) for _ in values] for _ in range(2)]
    parts.append([(v - a - b) % 2**128 for v, a, b in zip(values, parts[0], parts[1], strict=True)])
    assert len(values) < 4  # one byte each for the lengths below
    meta = (
        (b"\x08\x0c" if is_fixed else b"\x08\x08")
        + b'\x18\x01"\x03\n\x01'
        + bytes([len(values)])
        + b"*\x10aby3.AShr<FM128>"
    )
    head = bytes([8, 32 * len(values), 26, 32 * len(values)])
    shares = []
    for party in range(3):
        pairs = zip(parts[party], parts[(party + 1) % 3], strict=True)
        words = b"".join(a.to_bytes(16, "little") + b.to_bytes(16, "little") for a, b in pairs)
        shares.append(Share(meta, (head + words,)))
    return shares


def reported(
    change: Callable[[list[OutputShare]], list[OutputShare]] = lambda shares: shares,
) -> list[ReportedShare]:
    """A finished task: group a has 4 rows and a mean of 2.5, group b is suppressed."""
    half = Fraction(5, 2) * 100 * (1 << FRACTION_BITS)
    whole = [split([1, 0, 4]), split([0, 1000, 0])]
    joined = [joined_shares(a, b) for a, b in zip(*whole, strict=True)]
    fixed = split([int(half), 0], is_fixed=True)
    layout = layout_of(PROGRAM)
    assert (layout.whole_size, layout.fixed_size) == (6, 2)
    shares = change(
        [
            OutputShare("t1", party, HASH, secrets.token_bytes(32), joined[party], fixed[party])
            for party in range(3)
        ]
    )
    return [
        ReportedShare(seal_output(share, PUBLIC), share.program_hash, output_commitment(share))
        for share in shares
    ]


def joined_shares(first: Share, second: Share) -> Share:
    """Two vectors of three as one of six."""
    meta = first.meta.replace(b"\n\x01\x03", b"\n\x01\x06")
    size = 6 * 32
    head = b"\x08" + bytes([size & 0x7F | 0x80, size >> 7]) + b"\x1a"
    head += bytes([size & 0x7F | 0x80, size >> 7])
    return Share(meta, (head + first.chunks[0][4:] + second.chunks[0][4:],))


def test_the_receiver_reads_named_results() -> None:
    results = reveal("t1", encode_program(PROGRAM), reported(), PRIVATE)
    assert [(r.group, r.column, r.statistic, r.value) for r in results] == [
        ("a", "", "count", "4"),
        ("a", "claims", "sum", "10"),
        ("a", "claims", "mean", "2.5"),
        ("b", "", "count", ""),
        ("b", "claims", "sum", ""),
        ("b", "claims", "mean", ""),
    ]


def test_negative_numbers_come_back_negative() -> None:
    assert combine_whole(split([-1, -(2**62), 2**62]), 3) == [-1, -(2**62), 2**62]


def flipped(shares: list[OutputShare]) -> list[OutputShare]:
    chunk = bytearray(shares[1].whole.chunks[0])
    chunk[40] ^= 1
    whole = Share(shares[1].whole.meta, (bytes(chunk),))
    return [shares[0], msgspec.structs.replace(shares[1], whole=whole), shares[2]]


def renamed(**changes: object) -> Callable[[list[OutputShare]], list[OutputShare]]:
    return lambda shares: [shares[0], msgspec.structs.replace(shares[1], **changes), shares[2]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (flipped, "contradict each other"),
        (renamed(program_hash=bytes(32)), "different programs"),
        (renamed(fixed=Share(b"", ())), "not an additive ABY3 share"),
        (lambda shares: [shares[0], shares[2], shares[1]], "cannot be opened"),
        (lambda shares: shares[:2], "all 3 participants"),
    ],
)
def test_shares_that_do_not_belong_together_are_refused(
    change: Callable[[list[OutputShare]], list[OutputShare]], sentence: str
) -> None:
    with pytest.raises(ShareInvalid, match=sentence):
        reveal("t1", encode_program(PROGRAM), reported(change), PRIVATE)


def test_a_share_other_than_the_committed_one_is_refused() -> None:
    shares = reported()
    other = reported()
    mixed = [
        shares[0],
        ReportedShare(other[1].sealed, HASH, shares[1].output_commitment),
        shares[2],
    ]
    with pytest.raises(ShareInvalid, match="not the one it committed to"):
        reveal("t1", encode_program(PROGRAM), mixed, PRIVATE)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ShareInvalid, match="use the key that the task names"):
        reveal("t1", encode_program(PROGRAM), reported(), sm2.generate())


def test_shares_of_another_task_are_refused() -> None:
    with pytest.raises(ShareInvalid, match="cannot be opened"):
        reveal("t2", encode_program(PROGRAM), reported(), PRIVATE)


def test_a_share_too_large_for_the_chain_is_refused() -> None:
    big = Share(b"", (bytes(SEALED_SIZE_MAX),))
    share = OutputShare("t1", 0, HASH, bytes(32), big, big)
    with pytest.raises(ShareInvalid, match="ask for less"):
        seal_output(share, PUBLIC)
    with pytest.raises(ShareInvalid, match="exceeds"):
        open_output(bytes(SEALED_SIZE_MAX + 1), PRIVATE, task_id="t1", party=0)


def test_one_share_alone_is_random() -> None:
    first, second = split([7, 7, 7]), split([7, 7, 7])
    assert all(a.chunks != b.chunks for a, b in zip(first, second, strict=True))


# --- input shares -----------------------------------------------------------------------------

LIKE = split([1, 2])[0]
MESSAGE = InputShare("t1", 2, 1, 0, bytes(32), split([3, 4])[0])


def received(message: InputShare) -> InputShare:
    return decode_input(encode(message), task_id="t1", sequence=2, sender=1, receiver=0, like=LIKE)


def test_the_awaited_share_is_taken() -> None:
    assert received(MESSAGE) == MESSAGE


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task_id": "t2"}, "another place"),
        ({"sequence": 1}, "another place"),
        ({"sender": 2}, "another place"),
        ({"receiver": 1}, "another place"),
        ({"salt": b""}, "no proper salt"),
        ({"share": split([3, 4, 5])[0]}, "another form"),
        ({"share": split([3, 4], is_fixed=True)[0]}, "another form"),
        ({"share": Share(LIKE.meta, ())}, "another form"),
        ({"share": Share(LIKE.meta, LIKE.chunks * 2)}, "another form"),
        ({"share": Share(LIKE.meta, (b"\x08\x41" + LIKE.chunks[0][2:],))}, "another form"),
    ],
)
def test_a_share_not_awaited_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ShareInvalid, match=sentence):
        received(msgspec.structs.replace(MESSAGE, **changes))


def test_evidence_of_a_share_is_blinded_by_its_salt() -> None:
    other = msgspec.structs.replace(MESSAGE, salt=bytes([1]) * 32)
    assert input_commitment(MESSAGE) != input_commitment(other)


def test_the_transcript_root_does_not_depend_on_who_lists_first() -> None:
    entries = [TranscriptEntry(a, b, 0, bytes([a, b])) for a in range(3) for b in range(3)]
    assert transcript_root("t1", entries) == transcript_root("t1", entries[::-1])
    assert transcript_root("t1", entries) != transcript_root("t2", entries)
    assert transcript_root("t1", entries) != transcript_root("t1", entries[1:])


def test_an_output_of_another_size_is_refused() -> None:
    check_output(LIKE, 2, is_fixed=False)
    for size, is_fixed in ((3, False), (2, True)):
        with pytest.raises(ShareInvalid):
            check_output(LIKE, size, is_fixed=is_fixed)
