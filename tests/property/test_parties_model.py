"""Random acts on the register of parties, against a plain model: who holds which key, and may act.

The model is a list of cards. Whatever order acts come in, an address that once was a party's never
speaks for another one, a lost one speaks for nobody again, a suspended party speaks for nobody, and
a manager can always act.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.values import Value
from tests.business import PARTIES, Business

NEW = ("harbor", "clinic")  # ids that a manager may give
KEYS = tuple(f"key-{number}" for number in range(5))  # names of accounts that nobody has yet
ACTORS = ("bureau", "board", "opco", "health", *KEYS)
SUBJECTS = ("bureau", "board", "opco", "health", *NEW)
ROLES = ("manager", "operator", "supplier")
actors, keys = st.sampled_from(ACTORS), st.sampled_from([*KEYS, "opco", "health"])
subjects = st.sampled_from(SUBJECTS)


@dataclass
class Card:
    """A party as a clerk would file it; accounts by name."""

    roles: tuple[str, ...]
    accounts: list[str]
    keeper: str = ""
    is_suspended: bool = False
    suspensions: int = 0


@dataclass
class Register:
    """The model."""

    cards: dict[str, Card] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)  # account -> the party it was first of
    lost: set[str] = field(default_factory=set)

    def party_of(self, who: str) -> str:
        card = self.cards.get(self.bound.get(who, ""))
        return self.bound[who] if card is not None and who in card.accounts else ""

    def speaks_for(self, who: str) -> str:
        party = self.party_of(who)
        return "" if party == "" or self.cards[party].is_suspended else party

    def is_manager(self, who: str) -> bool:
        party = self.speaks_for(who)
        return party != "" and "manager" in self.cards[party].roles

    def may_bind(self, party: str, who: str) -> bool:
        return self.bound.get(who, party) == party

    def is_new(self, party: str, who: str) -> bool:
        card = self.cards[party]
        is_free = who not in card.accounts and who != card.keeper and who not in self.lost
        return is_free and self.may_bind(party, who)


class PartiesMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.model = Register()
        for party, role in PARTIES.items():
            self.model.cards[party] = Card((role,), [party])
            self.model.bound[party] = party

    def act(self, expected: bool, who: str, method: str, *args: Value) -> bool:
        receipt = self.business.act(who, "parties", method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)
        return expected

    @rule(who=actors, party=st.sampled_from([*NEW, "opco"]), key=keys, role=st.sampled_from(ROLES))
    def register(self, who: str, party: str, key: str, role: str) -> None:
        model = self.model
        expected = model.is_manager(who) and party not in model.cards and model.may_bind(party, key)
        if self.act(expected, who, "register", party, "A party", [role], [account(key)]):
            model.cards[party] = Card((role,), [key])
            model.bound[key] = party

    @rule(who=actors, party=subjects, key=keys)
    def add_account(self, who: str, party: str, key: str) -> None:
        model = self.model
        expected = model.is_manager(who) and party in model.cards and model.is_new(party, key)
        if self.act(expected, who, "add_account", party, account(key)):
            model.cards[party].accounts.append(key)
            model.bound[key] = party

    @rule(who=actors, party=subjects, key=st.sampled_from(ACTORS))
    def remove_account(self, who: str, party: str, key: str) -> None:
        model = self.model
        card = model.cards.get(party)
        expected = model.is_manager(who) and card is not None and key in card.accounts
        expected = expected and key != who
        if self.act(expected, who, "remove_account", party, account(key)) and card is not None:
            card.accounts.remove(key)

    @rule(who=actors, party=subjects, old=st.sampled_from(ACTORS), new=keys)
    def replace_account(self, who: str, party: str, old: str, new: str) -> None:
        model = self.model
        card = model.cards.get(party)
        is_keeper = card is not None and card.keeper == who and not card.is_suspended
        expected = card is not None and (is_keeper or model.is_manager(who))
        expected = expected and card is not None and old in card.accounts and old != who
        expected = expected and model.is_new(party, new)
        words = party, account(old), account(new), "lost"
        if self.act(expected, who, "replace_account", *words) and card is not None:
            card.accounts[card.accounts.index(old)] = new
            model.bound[new] = party
            model.lost.add(old)

    @rule(who=actors, party=subjects, key=keys)
    def name_keeper(self, who: str, party: str, key: str) -> None:
        model = self.model
        if key in model.lost:  # whether a found key may keep is not for this model to say
            return
        card = model.cards.get(party)
        expected = model.is_manager(who) and card is not None and model.may_bind(party, key)
        expected = expected and card is not None and key not in card.accounts and key != card.keeper
        if self.act(expected, who, "name_keeper", party, account(key), "why") and card is not None:
            card.keeper = key
            model.bound[key] = party

    @rule(who=actors, party=subjects, is_back=st.booleans())
    def suspend_or_readmit(self, who: str, party: str, is_back: bool) -> None:
        model = self.model
        card = model.cards.get(party)
        expected = model.is_manager(who) and card is not None and card.is_suspended is is_back
        if not is_back:
            expected = expected and card is not None and who not in card.accounts
        method = "readmit" if is_back else "suspend"
        if self.act(expected, who, method, party, "audit") and card is not None:
            card.is_suspended = not is_back
            card.suspensions += not is_back

    @rule(party=st.sampled_from(NEW), key=st.sampled_from(KEYS), role=st.sampled_from(ROLES))
    def grow(self, party: str, key: str, role: str) -> None:
        """Random words rarely fit: a manager admits a party, or gives one another key."""
        who = next(who for who in ACTORS if self.model.is_manager(who))
        if party in self.model.cards:
            self.add_account(who, party, key)
        else:
            self.register(who, party, key, role)

    @rule(party=subjects, key=st.sampled_from(KEYS), is_keeper=st.booleans())
    def turn(self, party: str, key: str, is_keeper: bool) -> None:
        """By who may: a party is suspended or comes back; a key is replaced or removed."""
        model = self.model
        who = next(who for who in ACTORS if model.is_manager(who))
        card = model.cards.get(party)
        if card is None:
            return
        if card.accounts and is_keeper:
            self.name_keeper(who, party, KEYS[-1])
            self.replace_account(card.keeper or who, party, card.accounts[0], key)
        elif len(card.accounts) > 1:
            self.remove_account(who, party, card.accounts[-1])
        else:
            self.suspend_or_readmit(who, party, card.is_suspended)

    @invariant()
    def every_key_speaks_for_whom_the_model_says(self) -> None:
        for who in ACTORS:
            asked = account(who)
            assert self.business.ask("stranger", "parties", "party_of", asked) == (
                self.model.party_of(who)
            )
            told = self.business.ask("stranger", "parties", "standing", asked)
            party = self.model.speaks_for(who)
            roles = list(self.model.cards[party].roles) if party else []
            assert told == [party, roles], who

    @invariant()
    def every_party_is_filed_as_the_model_says(self) -> None:
        for party, card in self.model.cards.items():
            shown = self.business.ask_record("stranger", "parties", "show", party)
            assert shown["accounts"] == [account(name) for name in card.accounts]
            assert shown["status"] == ("suspended" if card.is_suspended else "active")
            told = self.business.ask("stranger", "parties", "suspension_of", party)
            assert told == (card.suspensions if card.is_suspended else 0)

    @invariant()
    def some_manager_can_always_act(self) -> None:
        assert any(self.model.is_manager(who) for who in ACTORS)


TestParties = pytest.mark.slow(PartiesMachine.TestCase)
TestParties.settings = settings(max_examples=30, stateful_step_count=40)
