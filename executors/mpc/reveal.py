"""The receiver's side: opens three sealed shares and reads the named results (8.2.4b5, 8.2.5a).

Putting ABY3 shares together is an addition modulo 2^128, so the receiver needs no engine: this
runs in plain Python, in any process. It refuses shares that contradict each other, the reported
commitments or the reported program hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from executors.errors import ShareInvalid
from executors.mpc.layout import layout_of
from executors.mpc.program import PARTIES, decode_program
from executors.mpc.results import Result, read_results
from executors.mpc.shares import (
    FRACTION_BITS,
    OutputShare,
    combine_fixed,
    combine_whole,
    open_output,
    output_commitment,
)


@dataclass(frozen=True, slots=True)
class ReportedShare:
    """What one participant reported on chain, in the task's order."""

    sealed: bytes
    program_hash: bytes
    output_commitment: bytes


def reveal(
    task_id: str, program: bytes, reported: Sequence[ReportedShare], private: bytes
) -> tuple[Result, ...]:
    """The results of a finished task for the holder of the receiver's key.

    `reported` has one entry per participant, in the task's order. Raises ShareInvalid,
    ProgramInvalid or DecodeError.
    """
    if len(reported) != PARTIES:
        raise ShareInvalid(f"{len(reported)} shares; all {PARTIES} participants must have reported")
    decoded = decode_program(program)
    layout = layout_of(decoded)
    shares = [_opened(task_id, party, share, private) for party, share in enumerate(reported)]
    if len({share.program_hash for share in shares}) != 1:
        raise ShareInvalid("the participants ran different programs: the result means nothing")
    whole = combine_whole([share.whole for share in shares], layout.whole_size)
    fixed = combine_fixed([share.fixed for share in shares], layout.fixed_size)
    return read_results(decoded, whole, [Fraction(value, 1 << FRACTION_BITS) for value in fixed])


def _opened(task_id: str, party: int, reported: ReportedShare, private: bytes) -> OutputShare:
    share = open_output(reported.sealed, private, task_id=task_id, party=party)
    if output_commitment(share) != reported.output_commitment:
        raise ShareInvalid(f"the share of party {party} is not the one it committed to on chain")
    if share.program_hash != reported.program_hash:
        raise ShareInvalid(f"party {party} reported another program than its share names")
    return share
