"""What a node reads of the register of parties from state, beside what the contract answers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contracts.parties import PARTIES, is_keeper, party_of
from contracts.registry import RegistryDamaged
from contracts.vm.state import StateKey
from contracts.vm.testing import account
from ledger.encoding import encode
from ledger.model import Address
from ledger.recovery import Party
from tests.business import Business

KEEPER, BANK, NEW = (Address(account(name)) for name in ("bank-keeper", "bank", "bank-2"))


class Reader:
    """The state of a chain in memory."""

    def __init__(self, state: Mapping[StateKey, bytes]) -> None:
        self.state = dict(state)

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.state.get((namespace, key))


def test_a_keeper_is_known_as_such_while_its_party_is_active() -> None:
    business = Business()
    assert not is_keeper(Reader(business.chain.state), KEEPER)
    business.do("bureau", "parties", "name_keeper", "bank", KEEPER, "agreement")
    state = Reader(business.chain.state)
    assert is_keeper(state, KEEPER) and party_of(state, KEEPER) is None
    assert not is_keeper(state, BANK), "an account of the party is no keeper"
    business.suspend("bank")
    assert not is_keeper(Reader(business.chain.state), KEEPER)
    business.do("bureau", "parties", "readmit", "bank", "sorted out")
    business.do("bureau", "parties", "name_keeper", "bank", "", "no longer")
    assert not is_keeper(Reader(business.chain.state), KEEPER)


def test_a_replaced_account_is_out_with_the_block_that_says_so() -> None:
    business = Business()
    assert party_of(Reader(business.chain.state), BANK) == Party("bank", True, False)
    business.do("bureau", "parties", "replace_account", "bank", BANK, NEW, "lost")
    state = Reader(business.chain.state)
    assert party_of(state, BANK) is None
    assert party_of(state, NEW) == Party("bank", True, False)


def test_a_damaged_register_is_no_answer() -> None:
    business = Business()
    for damage in (b"\xc1", encode(7)):
        state = Reader(business.chain.state)
        for key, value in state.state.items():
            if key[0] == PARTIES and value == encode("bank"):
                state.state[key] = damage
        with pytest.raises(RegistryDamaged, match="verify the ledger"):
            party_of(state, BANK)
