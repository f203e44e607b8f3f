"""Programs of joint statistics: canonical bytes, rules and bounds."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from executors.errors import ProgramInvalid
from executors.mpc.layout import layout_of
from executors.mpc.program import (
    HALF,
    OUTPUTS_MAX,
    PROGRAM_SIZE_MAX,
    ROWS_MAX,
    ROWS_SORTED_MAX,
    STATISTICS,
    Measure,
    Quantile,
    StatisticsProgram,
    cells,
    decode_program,
    encode_program,
    ranks_of,
)
from ledger.encoding import encode
from ledger.errors import DecodeError

CLAIMS = Measure("claims", 2, 32, STATISTICS, (Quantile(1, 4), Quantile(3, 4)))
GOOD = StatisticsProgram(
    version=1,
    measures=(CLAIMS, Measure("age", 0, 8, ("mean",), ())),
    group_by="plan",
    groups=("25", "50", "free"),
    counts=True,
    rows=(7000, 7000, 7000),
    group_size_min=10,
)


def claims(**changes: object) -> StatisticsProgram:
    return with_(measures=(msgspec.structs.replace(CLAIMS, **changes),))


def with_(**changes: object) -> StatisticsProgram:
    return msgspec.structs.replace(GOOD, **changes)


def test_a_program_survives_its_bytes() -> None:
    assert decode_program(encode_program(GOOD)) == GOOD


def test_the_bytes_of_a_program_never_change() -> None:
    assert encode_program(GOOD).hex() == (
        "97019295a6636c61696d73022094a373756da46d65616ea876617269616e6365a66d656469616e9292010492"
        "030495a361676500089"
        "1a46d65616e90a4706c616e93a23235a23530a466726565c393cd1b58cd1b58cd1b580a"
    )


REFUSED: dict[str, Callable[[], StatisticsProgram]] = {
    "version": lambda: with_(version=2),
    "exactly 3": lambda: with_(rows=(1, 1)),
    "at least 1": lambda: with_(rows=(0, 5, 5)),
    "rows exceed": lambda: with_(rows=(ROWS_MAX, 1, 1)),
    "medians and quantiles are limited": lambda: with_(rows=(ROWS_SORTED_MAX, 1, 1)),
    "group_size_min": lambda: with_(group_size_min=2),
    "groups without group_by": lambda: with_(group_by=""),
    "1 to 64 groups": lambda: with_(groups=()),
    "ascending order": lambda: with_(groups=("b", "a")),
    "each group once": lambda: with_(groups=("a", "a")),
    "printable": lambda: with_(groups=("a\n",)),
    "characters": lambda: with_(groups=("x" * 65,)),
    "asks for nothing": lambda: with_(measures=(), counts=False),
    "at most 8 columns": lambda: with_(
        measures=tuple(Measure(f"c{i}", 0, 8, ("sum",), ()) for i in range(9))
    ),
    "each column once": lambda: with_(measures=(CLAIMS, CLAIMS)),
    "name each column": lambda: with_(group_by="claims"),
    "identifier": lambda: claims(column="a b"),
    "identifier of at most": lambda: claims(column="a" * 65),
    "decimals": lambda: claims(decimals=10),
    "bits are": lambda: claims(bits=0),
    "bits are 1": lambda: claims(bits=41),
    "statistics are of": lambda: claims(statistics=("mode",)),
    "in that order": lambda: claims(statistics=("mean", "sum")),
    "each once": lambda: claims(statistics=("sum", "sum")),
    "nothing is asked": lambda: claims(statistics=(), quantiles=()),
    "strictly between": lambda: claims(quantiles=(Quantile(0, 4),)),
    "strictly between 0 and 1": lambda: claims(quantiles=(Quantile(4, 4),)),
    "10000 parts": lambda: claims(quantiles=(Quantile(1, 10_001),)),
    "lowest terms": lambda: claims(quantiles=(Quantile(2, 4),)),
    "list quantiles": lambda: claims(quantiles=(Quantile(3, 4), Quantile(1, 4))),
    "at most 16": lambda: claims(quantiles=tuple(Quantile(i, 37) for i in range(1, 18))),
    "comparisons exceed": lambda: with_(
        groups=tuple(f"{i:02}" for i in range(64)), rows=(15_000, 15_000, 15_000)
    ),
    "outputs exceed": lambda: with_(
        groups=tuple(f"{i:02}" for i in range(64)),
        measures=(claims(quantiles=tuple(Quantile(i, 17) for i in range(1, 15))).measures[0],),
        rows=(10, 10, 10),
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_program_outside_the_rules_is_refused_by_a_sentence(sentence: str) -> None:
    program = REFUSED[sentence]()
    with pytest.raises(ProgramInvalid, match=sentence):
        encode_program(program)
    with pytest.raises((ProgramInvalid, DecodeError)):
        decode_program(encode(program))


def test_a_program_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(DecodeError, match="exceed the limit"):
        decode_program(bytes(PROGRAM_SIZE_MAX + 1))


@pytest.mark.parametrize("tail", [b"", b"\x00"])
def test_cut_and_extended_bytes_are_refused(tail: bytes) -> None:
    data = encode_program(GOOD)
    with pytest.raises(DecodeError):
        decode_program(data + tail if tail else data[:-1])


def test_numbers_wider_than_needed_are_not_canonical() -> None:
    data = encode_program(GOOD)
    assert data[1:2] == b"\x01"
    with pytest.raises(DecodeError, match="canonical"):
        decode_program(data[:1] + b"\xcc\x01" + data[2:])


def test_a_median_asked_for_twice_is_computed_once() -> None:
    measure = msgspec.structs.replace(CLAIMS, quantiles=(Quantile(1, 4), HALF))
    assert ranks_of(measure) == (HALF, Quantile(1, 4))
    layout = layout_of(with_(measures=(measure,)))
    assert layout.whole_size == 3 * (1 + 1 + 1 + 2)


def test_every_cell_has_a_place_of_its_own() -> None:
    layout = layout_of(GOOD)
    fixed = {"mean", "variance"}
    for is_fixed, size in ((False, layout.whole_size), (True, layout.fixed_size)):
        places = [
            layout.places[cell] for cell in cells(GOOD) if (cell.statistic in fixed) == is_fixed
        ]
        assert len(set(places)) == len(places)
        assert all(0 <= place < size for place in places)
    assert layout.whole_size + layout.fixed_size <= OUTPUTS_MAX
