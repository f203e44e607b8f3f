"""A node reads the terms from state as the contract `parameter` wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from contracts.parameters import PARAMETERS, ParametersUnknown, Term, term_at, terms_of
from contracts.registry import RegistryDamaged
from contracts.vm.engines import EngineFault
from contracts.vm.state import StateKey
from ledger.encoding import encode
from ledger.genesis import Limits
from ledger.model import Height
from tests.council import Council

FOUNDED = tuple((name, getattr(Limits(), name)) for name in PARAMETERS)
WHERE = ("parameter", b"\x91\xa5terms")


class Reader:
    def __init__(self, state: Mapping[StateKey, bytes]) -> None:
        self.state = state

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.state.get((namespace, key))


def stored(terms: Sequence[Term] | bytes) -> Reader:
    raw = terms if isinstance(terms, bytes) else encode(tuple(terms))
    return Reader({WHERE: raw})


def term(from_height: int, **values: int) -> Term:
    return Term(Height(from_height), tuple((dict(FOUNDED) | values).items()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"\x90\x00",
        encode(tuple(FOUNDED)),
        encode((term(0),))[:-1],
        encode((term(0),)).replace(b"heartbeat_ms", b"heartbeat_m\xff"),
    ],
)
def test_bytes_that_the_contract_did_not_write_are_a_damaged_store(raw: bytes) -> None:
    with pytest.raises(RegistryDamaged, match="verify the ledger"):
        terms_of(stored(raw))


@pytest.mark.parametrize("heights", [(0, 0), (5, 4), (0, 7, 7), (0, 9, 8, 10)])
def test_terms_out_of_order_are_a_damaged_store(heights: tuple[int, ...]) -> None:
    with pytest.raises(RegistryDamaged, match="out of order"):
        terms_of(stored([term(height) for height in heights]))


def test_a_chain_without_the_contract_goes_by_its_genesis() -> None:
    assert terms_of(Reader({})) == ()
    assert term_at((), 10**9) is None


def test_the_genesis_is_the_first_term() -> None:
    found = terms_of(Reader(Council().chain.state))
    assert found == (Term(Height(0), FOUNDED),)
    founded = Limits(valid_window=77, watermark_window=16)
    assert found[0].limits(founded) == founded


def test_a_change_is_read_as_the_contract_wrote_it() -> None:
    council = Council()
    council.passed("change_parameters", [["heartbeat_ms", 2000], ["block_gas_max", 6 * 10**8]], 0)
    found = terms_of(Reader(council.chain.state))
    from_height = council.chain.height + Limits().watermark_window + 1
    assert found == (term(0), term(from_height, block_gas_max=6 * 10**8, heartbeat_ms=2000))
    founded = Limits(valid_window=77)
    limits = found[1].limits(founded)
    assert limits == Limits(valid_window=77, heartbeat_ms=2000, block_gas_max=6 * 10**8)


def test_each_height_has_the_term_that_began_last() -> None:
    terms = (term(4), term(9), term(10))
    begun = {3: None, 4: 4, 8: 4, 9: 9, 10: 10, 10**9: 10}
    for height, expected in begun.items():
        found = term_at(terms, height)
        assert (found.from_height if found else None) == expected


def test_figures_that_this_release_does_not_know_stop_the_node_and_say_which() -> None:
    newer = Term(Height(9), (*FOUNDED, ("shard_count", 4), ("blob_size_max", 1)))
    assert terms_of(stored([term(0), newer]))[1] == newer
    with pytest.raises(ParametersUnknown, match=r"height 9 .* blob_size_max, shard_count, which"):
        newer.limits(Limits())
    assert issubclass(ParametersUnknown, EngineFault)
    fixed = Term(Height(9), (*FOUNDED, ("watermark_window", 4)))
    with pytest.raises(ParametersUnknown, match="watermark_window"):
        fixed.limits(Limits())
