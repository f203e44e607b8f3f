"""Output shares as three engines would seal them, for tests without engines.

Written from SPU's wire format on its own, so that it is a second opinion on executors.mpc.shares.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from fractions import Fraction

from executors.mpc.layout import layout_of, variance_shift
from executors.mpc.program import Cell, StatisticsProgram, cells
from executors.mpc.results import Result
from executors.mpc.reveal import ReportedShare
from executors.mpc.shares import (
    FRACTION_BITS,
    OutputShare,
    Share,
    output_commitment,
    seal_output,
)

RING = 2**128
COMPILED = bytes(range(32))  # hash of the compiled program, alike for all parties


def varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def split(values: Sequence[int], *, is_fixed: bool = False) -> list[Share]:
    """Three additive shares of a vector of integers."""
    parts = [[secrets.randbelow(RING) for _ in values] for _ in range(2)]
    parts.append([(v - a - b) % RING for v, a, b in zip(values, *parts, strict=True)])
    shape = varint(len(values))
    dimensions = b"\x0a" + varint(len(shape)) + shape
    kind = b"\x08\x0c" if is_fixed else b"\x08\x08"
    meta = kind + b"\x18\x01\x22" + varint(len(dimensions)) + dimensions
    size = varint(32 * len(values))
    shares = []
    for party in range(3):
        pairs = zip(parts[party], parts[(party + 1) % 3], strict=True)
        words = b"".join(a.to_bytes(16, "little") + b.to_bytes(16, "little") for a, b in pairs)
        chunk = b"\x08" + size + b"\x1a" + size + words
        shares.append(Share(meta + b"*\x10aby3.AShr<FM128>", (chunk,)))
    return shares


def sealed_shares(
    task_id: str,
    program: StatisticsProgram,
    found: Mapping[tuple[int, str], Fraction],
    receiver_key: bytes,
) -> list[ReportedShare]:
    """What the parties report when they found `found`: (group, statistic) -> scaled value.

    A group without an entry is suppressed.
    """
    return _sealed(
        task_id,
        program,
        {
            cell: found[key]
            for cell in cells(program)
            if (key := (cell.group, cell.statistic)) in found
        },
        receiver_key,
    )


def sealed_results(
    task_id: str, program: StatisticsProgram, results: Sequence[Result], receiver_key: bytes
) -> list[ReportedShare]:
    """What the parties report when these are the results, in the order of the program's cells."""
    pairs = zip(cells(program), results, strict=True)
    scaled = {
        cell: _scaled(program, cell, Fraction(result.value))
        for cell, result in pairs
        if not result.is_suppressed
    }
    return _sealed(task_id, program, scaled, receiver_key)


def _sealed(
    task_id: str,
    program: StatisticsProgram,
    found: Mapping[Cell, Fraction],
    receiver_key: bytes,
) -> list[ReportedShare]:
    layout = layout_of(program)
    whole, fixed = [0] * layout.whole_size, [0] * layout.fixed_size
    for cell, value in found.items():
        whole[cell.group] = 1
        if _is_fixed(cell):
            fixed[layout.places[cell]] = int(value * (1 << FRACTION_BITS))
        else:
            whole[layout.places[cell]] = int(value)
    pairs = zip(split(whole), split(fixed, is_fixed=True), strict=True)
    shares = [
        OutputShare(task_id, party, COMPILED, secrets.token_bytes(32), *pair)
        for party, pair in enumerate(pairs)
    ]
    return [
        ReportedShare(seal_output(share, receiver_key), COMPILED, output_commitment(share))
        for share in shares
    ]


def _scaled(program: StatisticsProgram, cell: Cell, value: Fraction) -> Fraction:
    """A value in units of the data as the engine computes it: in units of the scaled column."""
    if cell.measure < 0:
        return value
    measure = program.measures[cell.measure]
    unit = Fraction(1, int("1" + "0" * measure.decimals))
    if cell.statistic == "variance":
        return value / unit / unit / (1 << 2 * variance_shift(measure))
    return value / unit * (1 if cell.quantile is None else cell.quantile.parts)


def _is_fixed(cell: Cell) -> bool:
    return cell.statistic in ("mean", "variance")
