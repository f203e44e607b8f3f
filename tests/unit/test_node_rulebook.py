"""By which limits a height is judged: terms in the state, the genesis below them, and mishaps."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from contracts.parameters import PARAMETER, PARAMETERS, ParametersUnknown, Term
from contracts.vm.code_records import CODE, GENESIS, ContractRecord
from contracts.vm.declare import Storage
from contracts.vm.keys import key_prefix
from contracts.vm.types import STR
from ledger.encoding import encode
from ledger.errors import LedgerDamaged
from ledger.genesis import Limits
from ledger.model import Height, Transaction
from node.mempool import Admitted
from node.rulebook import LimitsUnfit, Rulebook, limits_at, misfit

WINDOW = 4
FOUNDED = Limits(watermark_window=WINDOW)
KEY = key_prefix(Storage("terms", (), STR, is_map=False))


class Head:
    """A ledger of which only height and terms matter."""

    def __init__(
        self, height: int, *terms: Term, raw: bytes | None = None, deployer: str = GENESIS
    ) -> None:
        self.height = height
        self.record = encode(
            ContractRecord(PARAMETER, "active", 1, bytes(32), deployer, Height(0), "", 1)
        )
        self.raw = encode(terms) if terms else raw
        self.reads = 0

    def get(self, namespace: str, key: bytes) -> bytes | None:
        self.reads += 1
        if (namespace, key) == (CODE, PARAMETER.encode()):
            return self.record if self.raw is not None else None
        return self.raw if (namespace, key) == (PARAMETER, KEY) else None

    def move(self, height: int, *terms: Term) -> None:
        self.height, self.raw = height, encode(terms)


def term(height: int, **changed: int) -> Term:
    values = tuple((name, changed.get(name, getattr(FOUNDED, name))) for name in PARAMETERS)
    return Term(Height(height), values)


def item(size: int, gas: int = 1, *, valid_until: int = 100) -> Admitted:
    return Admitted(bytes(32), Transaction(b"", b""), valid_until, gas, size)


FIRST = term(0)
SMALL = term(20, block_transactions_max=10, transaction_size_max=100_000)


# --- of a height, by the state before it ----------------------------------------------------------


def test_a_chain_without_the_contract_goes_by_its_genesis() -> None:
    assert limits_at(Head(7), FOUNDED, 8) == FOUNDED
    assert Rulebook(b"c", FOUNDED, Head(7)).at(8) is FOUNDED


def test_a_contract_of_that_name_that_a_member_deployed_tells_nodes_nothing() -> None:
    """A chain that began without it has the name free, and a first deployment asks nobody."""
    for raw in (encode((FIRST, SMALL)), encode((SMALL, FIRST)), b"\xc1"):
        head = Head(30, raw=raw, deployer="0a" * 20)
        assert limits_at(head, FOUNDED, 31) == FOUNDED
        book = Rulebook(b"c", FOUNDED, head)
        assert book.at(31) == FOUNDED
        assert not book.awaits_term()


def test_a_record_of_the_contract_that_cannot_be_read_is_damage() -> None:
    head = Head(18, FIRST)
    head.record = b"\xc1"
    with pytest.raises(LedgerDamaged):
        limits_at(head, FOUNDED, 19)


def test_a_term_holds_from_its_first_height_on() -> None:
    state = Head(18, FIRST, SMALL)
    assert limits_at(state, FOUNDED, 19) == FOUNDED
    changed = limits_at(state, FOUNDED, 20)
    assert (changed.block_transactions_max, changed.transaction_size_max) == (10, 100_000)
    assert limits_at(state, FOUNDED, 10**9) == changed


def test_what_is_no_parameter_stays_as_the_genesis_says() -> None:
    founded = Limits(watermark_window=5, valid_window=77)
    changed = limits_at(Head(19, FIRST, SMALL), founded, 20)
    assert (changed.watermark_window, changed.valid_window) == (5, 77)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xc1", "parameter: "),
        (encode((SMALL, FIRST)), "out of order"),
        (encode((SMALL, SMALL)), "out of order"),
    ],
)
def test_terms_that_no_contract_wrote_are_damage(raw: bytes, reason: str) -> None:
    with pytest.raises(LedgerDamaged, match=reason):
        limits_at(Head(18, raw=raw), FOUNDED, 19)
    with pytest.raises(LedgerDamaged, match=reason):
        Rulebook(b"c", FOUNDED, Head(18, raw=raw))


def test_a_state_without_a_term_for_the_height_is_damage() -> None:
    with pytest.raises(LedgerDamaged, match="no limits for it"):
        limits_at(Head(18, SMALL), FOUNDED, 19)


def test_figures_that_this_release_does_not_know_halt_at_their_height_and_not_before() -> None:
    later = Term(Height(20), (*FIRST.values, ("blob_size_max", 5)))
    state = Head(18, FIRST, later)
    assert limits_at(state, FOUNDED, 19) == FOUNDED
    with pytest.raises(ParametersUnknown, match="from height 20 on this chain goes by blob_size_"):
        limits_at(state, FOUNDED, 20)


def test_figures_that_do_not_work_with_this_release_halt_at_their_height() -> None:
    state = Head(18, FIRST, term(20, block_size_max=1 << 30))
    with pytest.raises(LimitsUnfit, match="from height 20 on, block_size_max is 1073741824, more"):
        limits_at(state, FOUNDED, 20)
    with pytest.raises(LimitsUnfit, match="heartbeat_ms is 999, less than 1000"):
        limits_at(Head(19, term(0, heartbeat_ms=999)), FOUNDED, 20)


def test_the_limits_of_a_release_fit_it() -> None:
    assert misfit(Limits()) == ""


# --- what the node asks ---------------------------------------------------------------------------


def test_the_rulebook_follows_the_head_and_reads_once_for_each() -> None:
    head = Head(10, FIRST)
    book = Rulebook(b"c", FOUNDED, head)
    reads = head.reads
    assert book.at(11) == FOUNDED == book.at(30)
    assert head.reads == reads
    head.move(11, FIRST, SMALL)
    assert book.at(19) == FOUNDED
    assert book.at(20).block_transactions_max == 10
    head.move(30, SMALL)
    assert book.at(31).block_transactions_max == 10
    assert book.at(12).block_transactions_max == 10, "a race with the next block raises nothing"


def test_a_transaction_must_fit_every_height_in_flight() -> None:
    larger = term(22, transaction_size_max=200_000, transaction_gas_max=60_000_000)
    head = Head(10, FIRST, SMALL, larger)
    book = Rulebook(b"c", FOUNDED, head)
    assert book.now.limits == FOUNDED, "both terms are beyond the window"
    head.move(15, FIRST, SMALL, larger)
    assert book.now.limits.transaction_size_max == 100_000
    head.move(17, FIRST, SMALL, larger)
    limits = book.now.limits
    assert limits.transaction_size_max == 100_000
    assert limits.transaction_gas_max == FOUNDED.transaction_gas_max
    head.move(21, SMALL, larger)
    assert book.now.limits.transaction_size_max == 200_000


def test_what_waits_is_judged_by_the_narrowest_limits() -> None:
    head = Head(10, FIRST, SMALL)
    book = Rulebook(b"c", FOUNDED, head)
    large, dear = item(100_001), item(1, FOUNDED.transaction_gas_max + 1)
    assert book.judge()(large)
    assert not book.judge()(dear)
    head.move(15, FIRST, SMALL)
    assert not book.judge()(large)
    assert book.judge()(item(100_000, FOUNDED.transaction_gas_max))


def test_what_waits_is_judged_as_what_comes_in() -> None:
    """By gas and height, too: a proposal may name what no client could hand in."""
    head, window = Head(10, FIRST), FOUNDED.valid_window
    fits = Rulebook(b"c", FOUNDED, head).judge()
    verdicts = {
        (gas, valid_until): fits(item(1, gas, valid_until=valid_until))
        for gas in (-1, 0, 1)
        for valid_until in (10, 11, 10 + window, 11 + window)
    }
    assert {given for given, fit in verdicts.items() if fit} == {(1, 11), (1, 10 + window)}


def test_heights_should_pass_while_a_term_begins_within_a_window() -> None:
    head = Head(14, FIRST, SMALL)
    book = Rulebook(b"c", FOUNDED, head)
    assert not book.awaits_term(), "14 + 1 + 4 is below 20"
    for height in range(15, 19):
        head.move(height, FIRST, SMALL)
        assert book.awaits_term(), height
    head.move(19, FIRST, SMALL)
    assert not book.awaits_term(), "the next block goes by it"


def test_a_term_is_told_when_it_is_scheduled_cancelled_and_in_force() -> None:
    head = Head(10, FIRST)
    with capture_logs() as logs:
        book = Rulebook(b"c", FOUNDED, head)
        for height, terms in ((11, (FIRST, SMALL)), (12, (FIRST,)), (13, (FIRST, SMALL))):
            head.move(height, *terms)
            book.follow()
        head.move(19, FIRST, SMALL)
        book.follow()
        head.move(20, FIRST, SMALL)
        book.follow()
    told = [(entry["event"], entry["height"]) for entry in logs]
    assert told == [
        ("limits_scheduled", 20),
        ("limits_cancelled", 20),
        ("limits_scheduled", 20),
        ("limits_in_force", 20),
    ]
    assert logs[0]["block_transactions_max"] == 10
    assert "heartbeat_ms" not in logs[0]


def test_a_term_that_this_release_cannot_go_by_is_told_before_it_halts_the_node() -> None:
    head = Head(10, FIRST, term(20, block_size_max=1 << 30))
    with capture_logs() as logs:
        book = Rulebook(b"c", FOUNDED, head)
    (error,) = [entry for entry in logs if entry["event"] == "limits_unfit"]
    assert error["height"] == 20
    assert error["log_level"] == "error"
    assert "install a release" in str(error["reason"])
    assert book.at(20) == FOUNDED
    head.move(17, FIRST, term(20, block_size_max=1 << 30))
    assert book.now.limits == FOUNDED
