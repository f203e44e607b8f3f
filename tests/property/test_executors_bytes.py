"""Whatever bytes arrive, executors decode them or refuse them, and nothing else."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import sm2
from executors.errors import ProgramInvalid, ShareInvalid
from executors.mpc.job import PartyJob, Peer, PublicJob, decode_frame, decode_job
from executors.mpc.program import Measure, Quantile, StatisticsProgram, decode_program
from executors.mpc.shares import (
    OutputShare,
    Share,
    check_output,
    decode_input,
    open_output,
    seal_output,
)
from ledger.encoding import encode
from ledger.errors import DecodeError

PRIVATE = sm2.generate()
PROGRAM = encode(
    StatisticsProgram(
        1,
        (Measure("claims", 2, 32, ("sum", "median"), (Quantile(1, 4),)),),
        "plan",
        ("a", "b"),
        True,
        (10, 10, 10),
        3,
    )
)
PEER = Peer("a", "rows", "127.0.0.1:1", "pem")
JOB = encode(
    PartyJob(PublicJob("t", "statistics/1", PROGRAM, (PEER,) * 3, b"k"), 0, "h", "l", "k", 1, 1, 1)
)
SHARE = Share(b"meta", (b"\x08\x20\x1a\x20" + bytes(32),))
SEALED = seal_output(
    OutputShare("t", 0, bytes(32), bytes(32), SHARE, SHARE), sm2.public_key(PRIVATE)
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Some other bytes: `good` with a few changed, cut or put in; or nothing like it."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(("change", "cut", "insert")))
        if kind == "change" and data:
            data[position] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[position:]
        else:
            data[position:position] = draw(st.binary(max_size=8))
    return bytes(data)


@given(damaged(PROGRAM))
@settings(max_examples=300)
def test_any_bytes_are_a_program_within_the_rules_or_refused(data: bytes) -> None:
    with suppress(DecodeError, ProgramInvalid):
        assert encode(decode_program(data)) == data


@given(damaged(JOB))
@settings(max_examples=200)
def test_any_bytes_are_a_job_or_refused(data: bytes) -> None:
    with suppress(DecodeError):
        assert encode(decode_job(data)) == data


@given(st.binary(max_size=100))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    with suppress(DecodeError):
        decode_frame(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_the_awaited_input_share_or_refused(data: bytes) -> None:
    with suppress(ShareInvalid):
        decode_input(data, task_id="t", sequence=0, sender=1, receiver=0, like=SHARE)


@given(damaged(SEALED))
@settings(max_examples=100)
def test_any_other_envelope_is_refused(data: bytes) -> None:
    if data == SEALED:
        return
    try:
        open_output(data, PRIVATE, task_id="t", party=0)
    except ShareInvalid:
        return
    raise AssertionError("a damaged envelope was opened")


@given(st.binary(max_size=60), st.lists(st.binary(max_size=80), max_size=3), st.integers(1, 3))
def test_any_share_has_the_one_form_or_is_refused(
    meta: bytes, chunks: list[bytes], size: int
) -> None:
    with suppress(ShareInvalid):
        check_output(Share(meta, tuple(chunks)), size, is_fixed=False)
