"""Equivalence classes (等价类): rows that are alike in all quasi-identifiers, in bounded memory.

Rows are dealt to parts by a keyed hash of their quasi-identifiers, so that no class lies in two
parts; parts grow into unnamed temporary files. Then each part is counted by itself. What is kept of
a row is that hash, its number and the codes of its sensitive values: nothing that could be read.
Whatever the key, the figures are the same.

Bound: a part has about a 64th of the rows in memory, 40 MB for 5 million rows that are all unique;
the values of sensitive columns add up to 120 bytes for each different one, 120 MB at most.
"""

from __future__ import annotations

import secrets
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from crypto import sm3
from executors.deident.closeness import Distribution
from executors.errors import DataSetInvalid

PARTS = 64
PART_MEMORY = 1 << 20  # bytes of a part before it goes to a file
MARK_BYTES = 16  # of SM3: two classes of one file meet with a chance of some 1 in 10**25
VALUES_MAX = 1_000_000  # different values of all sensitive columns together
READ_ROWS = 4096


@dataclass(slots=True)
class Class:
    """Rows that are alike; `sensitive` has the counts by code of each sensitive column. `numbers`
    of its rows are kept as long as they may be too few."""

    size: int
    sensitive: tuple[dict[int, int], ...]
    numbers: list[int]


@contextmanager
def counting(sensitive: int, *, numbers_below: int = 0) -> Iterator[Classes]:
    """Classes of rows with so many sensitive columns; the temporary files go with the context.

    Classes smaller than `numbers_below` keep the numbers of their rows.
    """
    with ExitStack() as files:
        parts = [
            files.enter_context(tempfile.SpooledTemporaryFile(PART_MEMORY)) for _ in range(PARTS)
        ]
        yield Classes(parts, sensitive, numbers_below)


class Classes:
    """Takes rows one by one, then gives the classes part by part; see `counting`."""

    def __init__(self, parts: Sequence[IO[bytes]], sensitive: int, numbers_below: int) -> None:
        self.distributions = tuple(Distribution() for _ in range(sensitive))
        self.rows = 0
        self._key = secrets.token_bytes(MARK_BYTES)
        self._record = struct.Struct(f"<{MARK_BYTES}s{1 + sensitive}I")
        self._numbers_below = numbers_below
        self._parts = parts

    def add(self, quasi: Sequence[str], sensitive: Sequence[str]) -> None:
        """One more row. Raises DataSetInvalid when sensitive columns have too many values."""
        # Lengths keep ("a", "bc") and ("ab", "c") apart.
        text = "".join(f"{len(cell)}:{cell}" for cell in quasi)
        mark = sm3.digest(self._key + text.encode())[:MARK_BYTES]
        codes = [
            distribution.code(cell)
            for distribution, cell in zip(self.distributions, sensitive, strict=True)
        ]
        if codes and sum([len(one.counts) for one in self.distributions]) > VALUES_MAX:
            raise DataSetInvalid(
                f"sensitive columns have more than {VALUES_MAX} different values: generalize them, "
                "or call the finest one other"
            )
        self._parts[mark[0] % PARTS].write(self._record.pack(mark, self.rows, *codes))
        self.rows += 1

    def close(self) -> Iterator[Class]:
        """All rows are there: the classes, once, in no order that means anything."""
        for distribution in self.distributions:
            distribution.close()
        for part in self._parts:
            part.seek(0)
            yield from self._counted(part)

    def _counted(self, part: IO[bytes]) -> Iterator[Class]:
        found: dict[bytes, Class] = {}
        size = self._record.size
        while chunk := part.read(size * READ_ROWS):
            for mark, number, *codes in self._record.iter_unpack(chunk):
                one = found.get(mark)
                if one is None:
                    one = Class(0, tuple({} for _ in codes), [])
                    found[mark] = one
                one.size += 1
                if one.size < self._numbers_below:
                    one.numbers.append(number)
                elif one.numbers:
                    one.numbers = []
                for counts, code in zip(one.sensitive, codes, strict=True):
                    counts[code] = counts.get(code, 0) + 1
        yield from found.values()
