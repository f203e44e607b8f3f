"""Parameters: who changes them, between which bounds, from which height, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contracts.bundle import init_args, system_sources
from contracts.parameters import PARAMETERS, terms_of
from contracts.system import parameter
from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from ledger.genesis import GenesisParty, Limits
from ledger.model import ValidatorSet
from ledger.values import Value
from node.bootstrap import check_genesis
from tests.business import PARTIES, STRANGER, code_of, validator
from tests.council import FOUNDERS, WINDOW, Council, Reader, account_of
from tests.unit.test_node_parts import fit_genesis

FOUNDED = {name: getattr(Limits(), name) for name in PARAMETERS}
SKEW: list[Value] = [["time_skew_ms_max", 6000]]
LEAD_MAX = 10**8


def skew(skew_ms: int) -> list[Value]:
    return [["time_skew_ms_max", skew_ms]]


def changed(council: Council, values: list[Value], not_before: int = 0) -> int:
    """A change that was decided; the height from which it holds."""
    council.passed("change_parameters", values, not_before)
    return heights(council)[-1]


def cancelled(council: Council, from_height: int) -> None:
    council.passed("cancel_parameters", from_height)


def undecided(council: Council, method: str, *args: Value) -> str:
    """A proposal that lacks the vote of an insurer, or of health."""
    proposal_id = council.new_id()
    council.do("bureau", "proposal", method, proposal_id, *args, "because")
    council.do("opco", "proposal", "approve", proposal_id)
    return proposal_id


def rows(council: Council, view: str, *args: Value) -> list[dict[str, Value]]:
    found = council.ask(STRANGER, "parameter", view, *args)
    assert isinstance(found, list)
    return [
        {str(key): value for key, value in row.items()} for row in found if isinstance(row, dict)
    ]


def heights(council: Council) -> list[int]:
    """From which the term in force and those to come hold."""
    return [int(str(row["from_height"])) for row in rows(council, "terms")]


def statuses(council: Council) -> list[Value]:
    return [row["status"] for row in rows(council, "history", 0, 100)]


def value_of(council: Council, name: str = "time_skew_ms_max") -> Value:
    return council.ask(STRANGER, "parameter", "value_of", name)


def at(council: Council, height: int) -> None:
    """The next block has this height."""
    council.chain.advance(height=height - 1 - council.chain.height)


def chain_of(limits: Limits) -> Chain:
    """A chain of this genesis with what the contract asks, and without the rest."""
    chain = Chain()
    parties = [GenesisParty("bureau", "b", ("manager",), (account("bureau"),))]
    args = init_args(parties, validators=ValidatorSet((validator("bureau"),)), limits=limits)
    for name, source in system_sources():
        if name in ("parties", "governance", "parameter"):
            receipt = chain.deploy(name, source, args.get(name, []))
            assert receipt.status == Code.ok, receipt.detail
    return chain


# --- the genesis ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [],
        [[name, 1] for name in PARAMETERS[:-1]],
        [[name, 1] for name in (*PARAMETERS, "valid_window")],
        [[name, 1] for name in reversed(PARAMETERS)],
        [[name, 1] for name in (*PARAMETERS[:-1], "watermark_window")],
    ],
)
def test_a_genesis_that_does_not_name_all_in_order_does_not_deploy(values: list[Value]) -> None:
    receipt = Chain().deploy("parameter", dict(system_sources())["parameter"], [values])
    assert receipt.status == Code.refused
    assert code_of(receipt.detail) == "parameter.names"


def test_the_names_are_those_that_nodes_read_and_the_windows_are_none() -> None:
    assert tuple(name for name, _least, _most in parameter.PARAMETERS) == PARAMETERS
    fixed = set(Limits.__struct_fields__) - set(PARAMETERS)
    assert fixed == {"valid_window", "watermark_window"}


@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
def test_this_release_runs_whatever_the_bounds_allow(end: int) -> None:
    bounds = {name: (least, most)[end] for name, least, most in parameter.PARAMETERS}
    check_genesis(fit_genesis(Limits(**bounds)))
    room = {name: most for name, _least, most in parameter.PARAMETERS if "block" in name}
    room |= {name: least for name, least, _most in parameter.PARAMETERS if "block" not in name}
    for name, value in bounds.items():
        check_genesis(fit_genesis(Limits(**(room | {name: value}))))


def test_the_first_figures_are_those_of_the_genesis() -> None:
    council = Council()
    shown = rows(council, "list", 0, 100)
    assert {row["name"]: row["value"] for row in shown} == FOUNDED
    assert all((row["coming"], row["from_height"]) == (row["value"], 0) for row in shown)
    assert heights(council) == [0]
    assert rows(council, "history", 0, 100) == []


# --- who changes them -----------------------------------------------------------------------------


def test_nobody_schedules_or_cancels_but_the_contract_proposal() -> None:
    council = Council()
    from_height = changed(council, SKEW)
    senders = [account(who) for who in (*PARTIES, STRANGER)]
    senders += [account_of(node) for node in FOUNDERS]
    senders += ["contract:governance", "contract:feature", "contract:policy", "contract:multisig"]
    for sender in senders:
        schedule: list[Value] = ["p", skew(7000), 0]
        for method, args in (("schedule", schedule), ("cancel", ["p", from_height, 0])):
            receipt = council.chain.call(sender, "parameter", method, *args)
            assert receipt.status == Code.refused, (sender, method)
            assert code_of(receipt.detail) == "parameter.caller"


def test_a_vote_that_is_not_complete_changes_nothing() -> None:
    council = Council()
    undecided(council, "change_parameters", SKEW, 0)
    assert heights(council) == [0]
    council.chain.advance(height=1000)
    assert value_of(council) == FOUNDED["time_skew_ms_max"]


# --- what is no change ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "parameter.values"),
        ([[name, value] for name, value in [*FOUNDED.items(), ("heartbeat_ms", 1000)]],
         "parameter.values"),
        ([["valid_window", 100]], "parameter.unknown"),
        ([["watermark_window", 16]], "parameter.unknown"),
        ([["", 1]], "parameter.unknown"),
        ([["heartbeat_ms", 1000], ["heartbeat_ms", 1000]], "parameter.twice"),
        ([["heartbeat_ms", 1000], ["time_skew_ms_max", 9000], ["heartbeat_ms", 2000]],
         "parameter.twice"),
        ([[name, value] for name, value in FOUNDED.items()], "parameter.same"),
        ([["heartbeat_ms", 60_000]], "parameter.same"),
    ],
)  # fmt: skip
def test_a_change_names_parameters_once_and_changes_one(values: list[Value], code: str) -> None:
    council = Council()
    refused = council.refused("bureau", "proposal", "change_parameters", "p", values, 0, "why")
    assert refused == code
    assert council.denied(STRANGER, "parameter", "check", values, 0) == code


@pytest.mark.parametrize("place", range(len(PARAMETERS)), ids=PARAMETERS)
def test_a_value_is_between_least_and_most(place: int) -> None:
    council = Council()
    name, least, most = parameter.PARAMETERS[place]
    if name == "heartbeat_ms":
        most = FOUNDED[name]
    row = rows(council, "list", place, 1)[0]
    assert (row["name"], row["least"], row["most"]) == (name, least, most)
    for wanted in (least - 1, most + 1, 0, -least, 2**60):
        values: list[Value] = [[name, wanted]]
        refused = council.refused("bureau", "proposal", "change_parameters", "p", values, 0, "why")
        assert refused == "parameter.value", wanted
    for wanted in (least, most):
        values = [[name, wanted]]
        if wanted != FOUNDED[name]:
            assert council.ask(STRANGER, "parameter", "check", values, 0) is True, wanted


def test_heartbeats_get_no_slower_than_the_genesis_has_them() -> None:
    """Clients hold by the genesis how old the newest block may be."""
    council = Council()
    at(council, changed(council, [["heartbeat_ms", 1000]]))
    assert council.denied(STRANGER, "parameter", "check", [["heartbeat_ms", 60_001]], 0) == (
        "parameter.value"
    )
    assert council.ask(STRANGER, "parameter", "check", [["heartbeat_ms", 60_000]], 0) is True


@pytest.mark.parametrize(
    ("inner", "outer", "most", "code"),
    [
        ("transaction_size_max", "block_size_max", 300_000, "parameter.size"),
        ("transaction_gas_max", "block_gas_max", 60_000_000, "parameter.gas"),
    ],
)
def test_a_block_holds_the_largest_and_the_dearest_transaction(
    inner: str, outer: str, most: int, code: str
) -> None:
    chain, sender = chain_of(Limits(**{outer: most})), "contract:proposal"
    fitting: list[Value] = [[inner, most]]
    assert chain.view(sender, "parameter", "check", fitting, 0) is True
    values: list[Value] = [[inner, most + 1]]
    receipt = chain.call(sender, "parameter", "schedule", "p", values, 0)
    assert (receipt.status, code_of(receipt.detail)) == (Code.refused, code)
    both: list[Value] = [*values, [outer, 70_000_000 if "gas" in outer else 1 << 20]]
    chain.must(sender, "parameter", "schedule", "p", both, 0)


def test_figures_of_the_genesis_beyond_the_bounds_stay_until_they_are_changed() -> None:
    chain = chain_of(Limits(block_transactions_max=5))
    sender = "contract:proposal"
    chain.must(sender, "parameter", "schedule", "p", SKEW, 0)
    chain.advance(height=WINDOW + 1)
    assert chain.view(sender, "parameter", "value_of", "block_transactions_max") == 5
    below: list[Value] = [["block_transactions_max", 6]]
    receipt = chain.call(sender, "parameter", "schedule", "p", below, 0)
    assert code_of(receipt.detail) == "parameter.value"


# --- from which height ----------------------------------------------------------------------------


def test_a_change_holds_more_than_a_window_after_it_was_decided() -> None:
    council = Council()
    assert changed(council, SKEW) == council.chain.height + WINDOW + 1
    council.chain.advance(height=WINDOW)
    assert value_of(council) == FOUNDED["time_skew_ms_max"]
    council.chain.advance(height=1)
    assert value_of(council) == 6000


def test_a_change_waits_for_the_height_that_it_names() -> None:
    council = Council()
    wanted = council.chain.height + 1000
    assert changed(council, SKEW, wanted) == wanted
    row = rows(council, "list", 5, 1)[0]
    assert (row["value"], row["coming"], row["from_height"]) == (5000, 6000, wanted)
    council.chain.advance(height=wanted - 1 - council.chain.height)
    assert value_of(council) == 5000
    council.chain.advance(height=1)
    assert value_of(council) == 6000


@pytest.mark.parametrize("late", [-WINDOW - 1, -WINDOW, -1, 0, 500])
def test_a_height_that_passes_while_people_vote_makes_no_change_sooner(late: int) -> None:
    """Whatever the proposal says: the window counts from the decision."""
    council = Council()
    wanted = council.chain.height + 200
    proposal_id = undecided(council, "change_parameters", SKEW, wanted)
    at(council, wanted + late)
    council.do("health", "proposal", "approve", proposal_id)
    earliest = council.chain.height + WINDOW + 1
    assert heights(council) == [0, max(wanted, earliest)]


def test_a_height_is_neither_negative_nor_beyond_all_plans() -> None:
    council = Council()
    for wanted in (-1, council.chain.height + LEAD_MAX + 3):
        refused = council.refused("bureau", "proposal", "change_parameters", "p", SKEW, wanted, "w")
        assert refused == "parameter.not_before"
    furthest = council.chain.height + LEAD_MAX
    assert council.ask(STRANGER, "parameter", "check", SKEW, furthest) is True
    denied = council.denied(STRANGER, "parameter", "check", SKEW, furthest + 1)
    assert denied == "parameter.not_before"
    changed(council, SKEW, furthest)


# --- the order of terms ---------------------------------------------------------------------------


def test_a_later_change_builds_on_those_that_are_decided_and_follows_them() -> None:
    council = Council()
    first = changed(council, SKEW, council.chain.height + 100)
    for not_before in (0, first - 1, first):
        values: list[Value] = [["heartbeat_ms", 2000]]
        refused = council.refused(
            "bureau", "proposal", "change_parameters", "p", values, not_before, "why"
        )
        assert refused == "parameter.order"
    assert council.denied(STRANGER, "parameter", "check", SKEW, first + 1) == "parameter.same"
    assert changed(council, values, first + 1) == first + 1
    terms = rows(council, "terms")
    assert [row["from_height"] for row in terms] == [0, first, first + 1]
    assert dict_of(terms[1]) == FOUNDED | {"time_skew_ms_max": 6000}
    assert dict_of(terms[2]) == FOUNDED | {"time_skew_ms_max": 6000, "heartbeat_ms": 2000}


def dict_of(term: Mapping[str, Value]) -> dict[str, Value]:
    values = term["values"]
    assert isinstance(values, list)
    return {str(pair[0]): pair[1] for pair in values if isinstance(pair, list)}


def test_the_vote_that_would_complete_a_change_out_of_order_is_refused() -> None:
    council = Council()
    overtaken = undecided(council, "change_parameters", skew(7000), 0)
    last = changed(council, SKEW, council.chain.height + 500)
    assert council.refused("health", "proposal", "approve", overtaken) == "parameter.order"
    cancelled(council, last)
    council.do("health", "proposal", "approve", overtaken)
    assert council.status(overtaken) == "decided"


def test_eight_changes_wait_at_most() -> None:
    council = Council()
    first = council.chain.height + 500
    for number in range(7):
        assert changed(council, skew(6000 + number), first + number) == first + number
    ninth = undecided(council, "change_parameters", skew(7000), first + 8)
    assert changed(council, skew(6007), first + 7) == first + 7
    assert council.refused("health", "proposal", "approve", ninth) == "parameter.coming"
    late: list[Value] = ["late", skew(7001), first + 9, "why"]
    assert council.refused("bureau", "proposal", "change_parameters", *late) == "parameter.coming"
    at(council, first - 1)
    assert council.refused("health", "proposal", "approve", ninth) == "parameter.coming"
    council.do("health", "proposal", "approve", ninth)
    assert len(heights(council)) == 9


# --- what is cancelled ----------------------------------------------------------------------------


def test_the_last_change_alone_is_cancelled_and_only_before_it_is_in_flight() -> None:
    council = Council()
    assert cancel_refused(council, 0) == "parameter.not_last", "the genesis"
    first = changed(council, SKEW, council.chain.height + 500)
    second = changed(council, skew(7000), first + 10)
    for from_height in (0, first, second + 1, -1):
        assert cancel_refused(council, from_height) == "parameter.not_last"
    assert council.ask(STRANGER, "parameter", "check_cancel", second) == 1
    cancelled(council, second)
    assert heights(council) == [0, first]
    at(council, first - WINDOW)
    assert cancel_refused(council, first) == "parameter.in_flight"
    council.chain.advance(height=WINDOW)
    assert cancel_refused(council, first) == "parameter.in_flight", "it is in force"


def cancel_refused(council: Council, from_height: int) -> str:
    return council.refused("bureau", "proposal", "cancel_parameters", "p", from_height, "why")


@pytest.mark.parametrize("late", [0, 1])
def test_a_change_is_cancelled_until_a_window_before_its_height(late: int) -> None:
    council = Council()
    first = changed(council, SKEW, council.chain.height + 500)
    proposal_id = undecided(council, "cancel_parameters", first)
    at(council, first - WINDOW - 1 + late)
    if late:
        refused = council.refused("health", "proposal", "approve", proposal_id)
        assert refused == "parameter.in_flight"
        assert heights(council) == [0, first]
    else:
        council.do("health", "proposal", "approve", proposal_id)
        assert heights(council) == [0]
        council.chain.advance(height=1000)
        assert value_of(council) == FOUNDED["time_skew_ms_max"]


def test_what_was_cancelled_may_be_decided_anew_for_the_same_height() -> None:
    council = Council()
    wanted = council.chain.height + 500
    for _ in range(2):
        assert changed(council, SKEW, wanted) == wanted
        cancelled(council, wanted)
    assert changed(council, SKEW, wanted) == wanted
    assert statuses(council) == ["cancelled", "cancelled", "scheduled"]
    at(council, wanted + 1)
    assert statuses(council) == ["cancelled", "cancelled", "in_force"], "at whatever height it is"


def test_votes_against_one_change_do_not_cancel_the_next_one_for_its_height() -> None:
    council = Council()
    wanted = changed(council, SKEW, council.chain.height + 500)
    stale, again = (undecided(council, "cancel_parameters", wanted) for _ in range(2))
    council.do("health", "proposal", "approve", again)
    assert changed(council, skew(7000), wanted) == wanted
    assert council.refused("health", "proposal", "approve", stale) == "parameter.other"
    assert council.status(stale) == "open", "the vote does not count"
    assert statuses(council) == ["cancelled", "scheduled"]
    cancelled(council, wanted)
    assert statuses(council) == ["cancelled", "cancelled"]


# --- what is kept ---------------------------------------------------------------------------------


def test_terms_that_are_over_leave_the_state_with_the_next_change() -> None:
    council = Council()
    first = changed(council, SKEW)
    second = changed(council, skew(7000), first + 10)
    at(council, second + 1)
    assert heights(council) == [second]
    assert [term.from_height for term in terms_of(Reader(council))] == [0, first, second]
    third = changed(council, skew(8000))
    assert [term.from_height for term in terms_of(Reader(council))] == [second, third]


def test_the_history_tells_what_became_of_every_change() -> None:
    council = Council()
    first = changed(council, SKEW)
    second = changed(council, skew(7000), first + 100)
    third = changed(council, skew(8000), second + 100)
    fourth = changed(council, skew(9000), third + 100)
    assert statuses(council) == ["scheduled"] * 4
    cancelled(council, fourth)
    cancelled(council, third)
    assert statuses(council) == ["scheduled", "scheduled", "cancelled", "cancelled"]
    at(council, first + 1)
    assert statuses(council) == ["in_force", "scheduled", "cancelled", "cancelled"]
    at(council, second + 1)
    assert statuses(council) == ["superseded", "in_force", "cancelled", "cancelled"]
    row = rows(council, "history", 1, 1)[0]
    assert (row["number"], row["values"]) == (1, skew(7000))
    assert (row["proposal_id"], row["from_height"]) == ("proposal-2", second)
    assert isinstance(row["decided_height"], int) and row["decided_height"] < first


def test_the_last_of_many_is_cancelled_though_later_ones_were_cancelled_before() -> None:
    council = Council()
    first = changed(council, SKEW, council.chain.height + 500)
    for _ in range(3):
        cancelled(council, changed(council, skew(7000), first + 10))
    cancelled(council, first)
    assert statuses(council) == ["cancelled"] * 4
    assert heights(council) == [0]


def test_who_asks_for_no_page_or_an_unknown_name_is_told_so() -> None:
    council = Council()
    for name in ("", "valid_window", "x" * 100):
        assert council.denied(STRANGER, "parameter", "value_of", name) == "parameter.unknown"
    for offset, limit in ((-1, 1), (0, 0), (0, 101)):
        for view in ("list", "history"):
            assert council.denied(STRANGER, "parameter", view, offset, limit) == "parameter.page"


def test_every_change_tells_the_world() -> None:
    council = Council()
    wanted = council.chain.height + 500
    change = undecided(council, "change_parameters", SKEW, wanted)
    events = council.do("health", "proposal", "approve", change)
    told = {"proposal_id": change, "number": 0, "values": SKEW, "from_height": wanted}
    assert events[1] == ("ParametersScheduled", told)
    cancel = undecided(council, "cancel_parameters", wanted)
    events = council.do("health", "proposal", "approve", cancel)
    told = {"proposal_id": cancel, "number": 0, "from_height": wanted}
    assert events[1] == ("ParametersCancelled", told)
