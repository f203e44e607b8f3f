"""The schedule of engines: what may be put into it, how it is read, and who decides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.vm.code_records import CODE
from contracts.vm.codes import Code, ViewRefused
from contracts.vm.engine_schedule import (
    HEIGHT_MAX,
    KEY,
    TERMS_MAX,
    ChangeRefused,
    EngineSchedule,
    EngineTerm,
    ScheduleDamaged,
    cancelled,
    decode_schedule,
    encode_schedule,
    engine_at,
    founded,
    schedule_of,
    scheduled,
)
from contracts.vm.engines import ENGINES, LATEST, EngineUnknown, find, language_of
from contracts.vm.testing import Chain, account
from contracts.vm.version import vm_version
from ledger.model import Height, Receipt
from ledger.values import Value, encode_value
from tests.council import WINDOW, Council


def named(language: int, mark: int = 0) -> str:
    """The name of an engine that this release does not have."""
    return f"shuxin-vm/{language}+cpython-3.11+{mark:016x}"


def term(height: int, name: str) -> EngineTerm:
    return EngineTerm(Height(height), name)


FIRST = founded(named(2))


class State:
    """A state of one entry."""

    def __init__(self, raw: bytes | None) -> None:
        self.raw = raw

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.raw if (namespace, key) == (CODE, KEY) else None


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "shuxin-vm/2",
        named(2)[:-1],
        named(2) + "0",
        named(2) + "\n",
        named(2).upper(),
        named(0),
        named(2).replace("3.11", "3"),
        "wasm-vm/2+cpython-3.11+0000000000000000",
        "x" * 10_000,
    ],
)
def test_what_names_no_engine_is_never_scheduled(name: str) -> None:
    assert language_of(name) is None
    with pytest.raises(ChangeRefused, match=r"engine\.name"):
        scheduled(FIRST, name, 50, now=10)


def test_every_engine_of_this_release_has_a_name_that_can_be_scheduled() -> None:
    for name, engine in ENGINES.items():
        assert (engine.vm_version, language_of(name)) == (name, engine.language)
        assert find(name) is engine
    assert LATEST in ENGINES.values()


def test_an_engine_that_is_not_here_is_refused_with_what_to_do() -> None:
    with pytest.raises(EngineUnknown, match="install a release that has it") as caught:
        find(named(9), where="the genesis names")
    assert str(caught.value).startswith(f"the genesis names the engine {named(9)}, ")
    with pytest.raises(EngineUnknown) as long:
        find("x" * 10_000)
    assert len(str(long.value)) < 600


# --- rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "from_height", "now", "code"),
    [
        (named(2), 50, 10, "engine.same"),
        (named(1), 50, 10, "engine.language"),
        (named(3), 10, 10, "engine.height"),
        (named(3), 9, 10, "engine.height"),
        (named(3), -1, 10, "engine.height"),
        (named(3), HEIGHT_MAX + 1, 10, "engine.height"),
        (named(3), 2**255, 10, "engine.height"),
    ],
)
def test_what_cannot_be_scheduled(name: str, from_height: int, now: int, code: str) -> None:
    with pytest.raises(ChangeRefused, match=code):
        scheduled(FIRST, name, from_height, now=now)


def test_terms_come_in_at_the_end_only() -> None:
    one = scheduled(FIRST, named(3), 50, now=10)
    for height in (49, 50):
        with pytest.raises(ChangeRefused, match=r"engine\.order"):
            scheduled(one, named(4), height, now=10)
    assert scheduled(one, named(4), 51, now=10).terms == (
        *FIRST.terms,
        term(50, named(3)),
        term(51, named(4)),
    )


def test_only_the_last_term_is_taken_out_and_only_before_it_is_in_force() -> None:
    two = scheduled(scheduled(FIRST, named(3), 50, now=10), named(4), 60, now=10)
    with pytest.raises(ChangeRefused, match=r"engine\.not_last"):
        cancelled(two, 50, now=10)
    with pytest.raises(ChangeRefused, match=r"engine\.in_force"):
        cancelled(two, 60, now=60)
    one = cancelled(two, 60, now=59)
    assert cancelled(one, 50, now=10) == FIRST
    with pytest.raises(ChangeRefused, match=r"engine\.in_force"):
        cancelled(FIRST, 0, now=0)


def test_a_schedule_has_room_for_so_many_terms_and_fits_a_stored_value() -> None:
    schedule = FIRST
    for height in range(1, TERMS_MAX):
        schedule = scheduled(schedule, named(999_999, height), HEIGHT_MAX - 999 + height, now=0)
    assert decode_schedule(encode_schedule(schedule)) == schedule
    with pytest.raises(ChangeRefused, match=r"engine\.terms"):
        scheduled(schedule, named(999_999, 0), HEIGHT_MAX, now=0)


STEPS = st.lists(
    st.tuples(
        st.booleans(), st.integers(1, 4), st.integers(0, 3), st.integers(0, 60), st.integers(0, 5)
    ),
    max_size=40,
)


@given(STEPS)
def test_what_ran_stays_on_record_whatever_is_decided(
    steps: Sequence[tuple[bool, int, int, int, int]],
) -> None:
    """Against a plain list of what each height ran, as blocks go by."""
    schedule, now = founded(named(1)), 0
    ran = {0: named(1)}
    for is_change, language, mark, height, pause in steps:
        try:
            if is_change:
                schedule = scheduled(schedule, named(language, mark), height, now=now)
            else:
                schedule = cancelled(schedule, height, now=now)
        except ChangeRefused:
            pass
        assert decode_schedule(encode_schedule(schedule)) == schedule
        for later in range(now + 1, now + pause + 1):
            ran[later] = schedule.at(later).vm_version
        now += pause
        assert {h: schedule.at(h).vm_version for h in ran} == ran
        assert [h.from_height > now for h in schedule.after(now)] == [True] * len(
            schedule.after(now)
        )
    languages = [language_of(ran[h]) or 0 for h in sorted(ran)]
    assert languages == sorted(languages), "a contract never loses what it uses"


# --- reading ------------------------------------------------------------------------------------

DAMAGED: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "garbage": b"\xc1",
    "no terms": encode_schedule(EngineSchedule(())),
    "no beginning": encode_schedule(EngineSchedule((term(1, named(1)),))),
    "order": encode_schedule(EngineSchedule((term(0, named(1)), term(9, "x"), term(9, "y")))),
    "long name": encode_schedule(founded("x" * 129)),
    "too many": encode_schedule(
        EngineSchedule(tuple(term(height, named(1)) for height in range(TERMS_MAX + 1)))
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_schedule_that_nobody_wrote_is_damage(damage: str) -> None:
    with pytest.raises(ScheduleDamaged):
        schedule_of(State(DAMAGED[damage]))
    with pytest.raises(ScheduleDamaged):
        engine_at(State(DAMAGED[damage]), 7)


def test_the_engine_of_a_height_is_that_of_the_last_term_at_or_below_it() -> None:
    one, two = vm_version(1), vm_version(2)
    state = State(encode_schedule(scheduled(founded(one), two, 50, now=1)))
    found = [engine_at(state, height).vm_version for height in (0, 1, 49, 50, 51, 10**9)]
    assert found == [one, one, one, two, two, two]


def test_the_height_of_an_engine_that_is_not_here_is_named() -> None:
    state = State(encode_schedule(scheduled(founded(vm_version(1)), named(3), 50, now=1)))
    assert engine_at(state, 49).language == 1
    with pytest.raises(EngineUnknown, match="from height 50 on this chain runs under the engine"):
        engine_at(state, 50)
    with pytest.raises(EngineUnknown, match="height 51 and those after 50 run under"):
        engine_at(state, 51)


# --- who decides --------------------------------------------------------------------------------

NEXT = named(7)


def terms_of(chain: Chain) -> list[tuple[int, str]]:
    schedule = decode_schedule(chain.state[CODE, KEY])
    return [(int(one.from_height), one.vm_version) for one in schedule.terms]


@pytest.mark.parametrize("who", ["bureau", "opco", "health", "contract:proposal"])
@pytest.mark.parametrize(
    ("method", "args"), [("change_engine", [NEXT, 999]), ("cancel_engine", [0])]
)
def test_nobody_changes_the_engine_without_a_proposal(
    who: str, method: str, args: list[Value]
) -> None:
    council = Council()
    before = dict(council.chain.state)
    receipt = council.act(who, "contract", method, *args)
    assert receipt.status == Code.not_allowed
    assert "proposal" in receipt.detail
    assert council.chain.state == before


CALLER = """
from contracts.dialect import call, call_contract, init, view_contract
@call
def change() -> None:
    call_contract("contract", "change_engine", "{name}", 999)
@call
def cancel() -> None:
    call_contract("contract", "cancel_engine", 0)
@call
def freeze() -> None:
    call_contract("contract", "freeze", "parties", "because")
@call
def ask() -> bool:
    return view_contract("contract", "check_engine", "{name}", 999, returns=bool)
@call
def change_by_a_view() -> bool:
    return view_contract("contract", "change_engine", "{name}", 999, returns=bool)
@call
def few() -> None:
    call_contract("contract", "change_engine", "{name}")
"""
BETWEEN = """
from contracts.dialect import call, call_contract
@call
def change() -> None:
    call_contract("proposal", "change")
"""
HASTY = """
from contracts.dialect import call_contract, init
@init
def setup() -> None:
    call_contract("contract", "change_engine", "{name}", 999)
"""


def calling(name: str, method: str) -> tuple[Chain, Receipt]:
    """What comes of a call of `method` of a contract `name` that wants another engine."""
    chain = Chain()
    assert chain.deploy(name, CALLER.format(name=NEXT)).status == 0
    return chain, chain.call(account("a"), name, method)


@pytest.mark.parametrize("method", ["change", "cancel", "freeze", "ask"])
def test_no_other_contract_reaches_the_machine(method: str) -> None:
    chain, receipt = calling("proposals", method)
    assert receipt.status == Code.unknown_contract
    assert len(terms_of(chain)) == 1


def test_the_contract_proposal_reaches_the_engine_and_nothing_else() -> None:
    chain, receipt = calling("proposal", "change")
    assert receipt.status == 0
    assert terms_of(chain)[1:] == [(999, NEXT)]
    assert chain.events(receipt) == [("EngineScheduled", {"vm_version": NEXT, "from_height": 999})]
    assert calling("proposal", "freeze")[1].status == Code.unknown_contract
    assert calling("proposal", "ask")[1].status == 0
    assert calling("proposal", "few")[1].status == Code.bad_arguments


def test_a_view_of_the_machine_changes_nothing() -> None:
    chain, receipt = calling("proposal", "change_by_a_view")
    assert receipt.status == Code.unknown_method
    assert len(terms_of(chain)) == 1


def test_it_takes_a_transaction_of_the_contract_proposal_itself() -> None:
    chain, _ = calling("proposal", "ask")
    assert chain.deploy("between", BETWEEN).status == 0
    receipt = chain.call(account("a"), "between", "change")
    assert (receipt.status, len(terms_of(chain))) == (Code.reentrancy, 1)


def test_a_contract_that_is_only_being_deployed_decides_nothing() -> None:
    chain = Chain()
    receipt = chain.deploy("proposal", HASTY.format(name=NEXT))
    assert (receipt.status, len(terms_of(chain))) == (Code.reentrancy, 1)


def test_the_name_of_the_contract_proposal_is_not_enough() -> None:
    """A chain that began without it: whoever may deploy must not become who decides."""
    chain = Chain()
    register = "from contracts.dialect import view\n@view\n"
    register += "def acting_as(address: str, role: str) -> str:\n    return 'a'\n"
    assert chain.deploy("parties", register).status == 0
    source = CALLER.format(name=NEXT)
    chain.must(account("a"), "contract", "deploy", "proposal", source, encode_value([]))
    receipt = chain.call(account("a"), "proposal", "change")
    assert (receipt.status, len(terms_of(chain))) == (Code.not_allowed, 1)


# --- by proposal --------------------------------------------------------------------------------


def lead(council: Council, heights: int = WINDOW + 20) -> int:
    """A height so far ahead of the next block."""
    return council.chain.height + 1 + heights


def proposed(council: Council, height: int, *, who: str = "bureau") -> str:
    proposal_id = council.new_id()
    council.do(who, "proposal", "change_engine", proposal_id, NEXT, height, "release 2")
    return proposal_id


@pytest.mark.parametrize(
    ("name", "heights", "code"),
    [
        ("shuxin-vm/9", WINDOW + 1, "engine.name"),
        (LATEST.vm_version, WINDOW + 1, "engine.same"),
        (named(1), WINDOW + 1, "engine.language"),
        (NEXT, WINDOW, "proposal.from_height"),
        (NEXT, 0, "proposal.from_height"),
        (NEXT, -1_000_000, "proposal.from_height"),
    ],
)
def test_a_change_that_cannot_be_is_not_proposed(name: str, heights: int, code: str) -> None:
    council = Council()
    args: list[Value] = ["p", name, lead(council, heights), "because"]
    assert council.refused("bureau", "proposal", "change_engine", *args) == code


def test_strangers_neither_change_nor_cancel_the_engine() -> None:
    council = Council()
    for who in ("bank", "rival", "nobody"):
        args: list[Value] = ["p", NEXT, lead(council), "because"]
        assert council.refused(who, "proposal", "change_engine", *args) == "proposal.role"
        args = ["p", lead(council), "because"]
        assert council.refused(who, "proposal", "cancel_engine", *args) == "proposal.role"


def test_a_window_ahead_is_enough_and_a_quorum_with_a_manager_decides() -> None:
    council = Council()
    height = lead(council, WINDOW + 4)
    proposal_id = proposed(council, height)
    for who in ("opco", "health"):
        assert len(terms_of(council.chain)) == 1, who
        council.do(who, "proposal", "approve", proposal_id)
    shown = council.proposal(proposal_id)
    assert (shown["status"], shown["vm_version"], shown["from_height"]) == ("decided", NEXT, height)
    told = council.ask_record("nobody", "contract", "engine")
    assert told["vm_version"] == LATEST.vm_version
    assert told["terms"] == [
        {"from_height": 0, "vm_version": LATEST.vm_version},
        {"from_height": height, "vm_version": NEXT},
    ]
    council.chain.advance(height=height - council.chain.height)
    assert council.ask_record("nobody", "contract", "engine")["vm_version"] == NEXT


def test_the_last_approval_comes_in_time_or_not_at_all() -> None:
    council = Council()
    height = lead(council, WINDOW + 10)
    proposal_id = proposed(council, height)
    council.do("opco", "proposal", "approve", proposal_id)
    council.chain.advance(height=height - WINDOW - council.chain.height - 1)
    refused = council.refused("health", "proposal", "approve", proposal_id)
    assert refused == "proposal.from_height"
    assert council.status(proposal_id) == "open"
    assert len(terms_of(council.chain)) == 1
    council.do("bureau", "proposal", "withdraw", proposal_id)


def test_of_two_proposals_the_second_must_still_fit_when_it_is_carried_out() -> None:
    council = Council()
    height = lead(council)
    one, other = proposed(council, height), proposed(council, height)
    council.carry(one)
    council.do("opco", "proposal", "approve", other)
    assert council.refused("health", "proposal", "approve", other) == "engine.same"


def test_a_scheduled_change_is_cancelled_by_another_proposal() -> None:
    council = Council()
    height = lead(council)
    args: list[Value] = ["early", height, "because"]
    assert council.refused("bureau", "proposal", "cancel_engine", *args) == "engine.not_last"
    council.carry(proposed(council, height))
    council.do("bureau", "proposal", "cancel_engine", "no", height, "a fault was found")
    council.do("opco", "proposal", "approve", "no")
    assert len(terms_of(council.chain)) == 2
    events = council.do("health", "proposal", "approve", "no")
    assert ("EngineCancelled", {"vm_version": NEXT, "from_height": height}) in events
    assert len(terms_of(council.chain)) == 1
    council.carry(proposed(council, height))
    assert terms_of(council.chain)[1:] == [(height, NEXT)]


def test_votes_on_a_cancellation_are_about_the_engine_that_was_scheduled_then() -> None:
    council = Council()
    height = lead(council)
    council.carry(proposed(council, height))
    for proposal in ("no", "stale"):
        council.do("bureau", "proposal", "cancel_engine", proposal, height, "a fault was found")
    council.do("opco", "proposal", "approve", "stale")
    council.carry("no")
    assert council.refused("health", "proposal", "approve", "stale") == "proposal.other"
    other = named(3, 7)
    args: list[Value] = [other, height, "without the fault"]
    council.do("bureau", "proposal", "change_engine", "better", *args)
    council.carry("better")
    assert council.refused("health", "proposal", "approve", "stale") == "proposal.other"
    assert terms_of(council.chain)[1:] == [(height, other)]


def test_it_is_too_late_to_cancel_what_is_a_window_away() -> None:
    council = Council()
    height = lead(council)
    council.carry(proposed(council, height))
    council.chain.advance(height=height - WINDOW - 1 - council.chain.height)
    args: list[Value] = ["late", height, "because"]
    assert council.refused("bureau", "proposal", "cancel_engine", *args) == "proposal.from_height"


def test_checks_and_the_schedule_are_open_to_all() -> None:
    council = Council()
    assert council.ask("nobody", "contract", "check_engine", NEXT, lead(council)) is True
    with pytest.raises(ViewRefused, match="engine.same"):
        council.ask("nobody", "contract", "check_engine", LATEST.vm_version, lead(council))
    with pytest.raises(ViewRefused, match="engine.in_force"):
        council.ask("nobody", "contract", "check_cancel", 0)
