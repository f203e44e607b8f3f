"""Random acts on demands, the catalogue and the quality of rows, against a plain model of them.

The model is written from docs/aggregation.md: who may take which step when, and what a record then
says. After every act the chain must say the same; no record ever skips a state, and no party ever
does what is another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.values import Value
from tests.business import DEMAND, HOUR_MS, PARTIES, Business, changed, dataset_text, digest
from tests.pinned import run_pinned

BOTH = "both"  # a consumer that is an operator, too
ROLES = {**{name: (role,) for name, role in PARTIES.items()}, BOTH: ("consumer", "operator")}
NAMES = sorted(ROLES)
SUPPLIERS = sorted(name for name, role in PARTIES.items() if role == "supplier")
MEASURES = ("accuracy", "completeness")
DAY_MS = 24 * HOUR_MS
NEXT = {
    "demand": {
        "submitted": {"forwarded", "returned"},
        "forwarded": {"approved", "collecting", "rejected"},
        "collecting": {"ready", "rejected"},
    },
    "dataset": {
        "draft": {"collected", "retired"},
        "collected": {"registered", "retired"},
        "registered": {"updated", "retired"},
        "updated": {"retired"},
    },
}


@dataclass
class Wish:
    """A demand, as a clerk would keep it."""

    consumer: str
    addressee: str = ""
    status: str = "submitted"
    operator: str = ""
    manager: str = ""
    matched: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    came: list[list[str]] = field(default_factory=list)

    def awaits(self, supplier: str) -> bool:
        if self.status != "collecting" or supplier not in self.asked:
            return False
        own = sum(party == supplier for party, _dataset in self.came)
        return own < 32 // len(self.asked) and len(self.came) < 96


@dataclass
class Rows:
    """An entry of the catalogue. `counts` has the rows of each version; `figures` what was measured
    last of each measure: share, share before, version, party."""

    owner: str
    demand: str
    days: int
    status: str = "draft"
    counts: list[int] = field(default_factory=list)
    most: int = 0
    new_ms: int = 0
    figures: dict[str, tuple[int, int, int, str]] = field(default_factory=dict)
    measured: int = 0

    @property
    def is_listed(self) -> bool:
        return self.status in ("registered", "updated")

    def measure(self, party: str, shares: dict[str, int]) -> None:
        for measure, ppm in shares.items():
            had = self.figures.get(measure)
            before = -1
            if had is not None:
                is_corrected = had[2:] == (len(self.counts), party)
                before = max(-1 if is_corrected else had[0], had[1])
            self.figures[measure] = (ppm, before, len(self.counts), party)
        self.measured += 1


class DataMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not. `done` counts what was allowed and what was refused."""

    done: ClassVar[Counter[tuple[str, str, bool]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Hypothesis chooses the seed by which acts are drawn evenly, and how many there are: by
        itself it loves small numbers, and a demand has seven steps to what it is here for."""
        self.chance = Random(seed)
        self.business = Business()
        both: list[Value] = [BOTH, "Both", ["consumer", "operator"], [account(BOTH)]]
        self.business.do("bureau", "parties", "register", *both)
        self.wishes: dict[str, Wish] = {}
        self.rows: dict[str, Rows] = {}
        self.suspended: set[str] = set()
        self.seen: dict[tuple[str, str], str] = {}

    def act(self, expected: bool, who: str, call: str, *args: Value) -> bool:
        contract, method = call.split(".")
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (call, who, args, receipt.detail)
        self.done[contract, method, expected] += 1
        return expected

    def actor(self, may: Callable[[str], bool]) -> tuple[str, bool]:
        """Who acts, mostly one that may, and whether that party may."""
        good = [name for name in NAMES if may(name) and name not in self.suspended]
        who = self.chance.choice(good if good and self.chance.random() < 0.75 else NAMES)
        return who, who in good

    def having(self, role: str) -> Callable[[str], bool]:
        return lambda name: role in ROLES[name]

    def pick(self, names: Sequence[str], ripe: Callable[[str], bool]) -> str:
        """One of them, mostly a ripe one, rarely one that does not exist."""
        good = [name for name in names if ripe(name)]
        if good and self.chance.random() < 0.85:
            return self.chance.choice(good)
        return self.chance.choice([*names, "nothing"])

    def wish(self, *states: str) -> tuple[str, Wish | None, bool]:
        """A demand, and whether it is in one of the states."""
        name = self.pick(list(self.wishes), lambda one: self.wishes[one].status in states)
        found = self.wishes.get(name)
        return name, found, found is not None and found.status in states

    def entry(self, *states: str) -> tuple[str, Rows | None, bool]:
        """A data set, often one for a demand, and whether it is in one of the states."""
        names = list(self.rows)
        wanted = [one for one in names if self.rows[one].demand]
        if wanted and self.chance.random() < 0.5:
            names = wanted
        name = self.pick(names, lambda one: self.rows[one].status in states)
        found = self.rows.get(name)
        return name, found, found is not None and found.status in states

    def some(self, names: Sequence[str]) -> list[Value]:
        count = self.chance.randrange(1, 4)
        return [*dict.fromkeys(self.chance.choices([*names, "nothing"], k=count))]

    def are_listed(self, names: Sequence[Value]) -> bool:
        return all(str(name) in self.rows and self.is_usable(str(name)) for name in names)

    def is_usable(self, name: str) -> bool:
        return self.rows[name].is_listed and self.rows[name].owner not in self.suspended

    # --- demands ----------------------------------------------------------------------------------

    def file(self) -> None:
        who, expected = self.actor(self.having("consumer"))
        name = f"d{self.chance.randrange(len(self.wishes) + 1)}"
        addressee = self.chance.choice(["", "", "opco", "rival", BOTH, "insurer"])
        is_fit = addressee not in (who, "insurer") and addressee not in self.suspended
        expected = expected and name not in self.wishes and is_fit
        if self.act(expected, who, "demand.file", name, *changed(DEMAND, -1, addressee)):
            self.wishes[name] = Wish(who, addressee)

    def prescreen(self) -> None:
        name, wish, is_ripe = self.wish("submitted")
        consumer, addressee = (wish.consumer, wish.addressee) if wish else ("", "")
        is_operator = self.having("operator")
        who, may = self.actor(
            lambda one: is_operator(one) and one != consumer and addressee in ("", one)
        )
        passed = self.chance.random() < 0.8
        if self.act(may and is_ripe, who, "demand.prescreen", name, passed, "why") and wish:
            wish.status, wish.operator = ("forwarded" if passed else "returned"), who

    def review(self) -> None:
        who, may = self.actor(self.having("manager"))
        name, wish, is_ripe = self.wish("forwarded")
        approved = self.chance.random() < 0.5
        datasets = self.some([one for one in self.rows if self.is_usable(one)])
        named = datasets if approved else []
        expected = may and is_ripe and self.are_listed(named)
        if self.act(expected, who, "demand.review", name, approved, "why", named) and wish:
            wish.status, wish.manager = ("approved" if approved else "rejected"), who
            wish.matched = [str(one) for one in named]

    def collect(self) -> None:
        who, may = self.actor(self.having("manager"))
        name, wish, is_ripe = self.wish("forwarded", "collecting")
        asked = self.some(SUPPLIERS)
        if self.chance.random() < 0.8:
            asked = [one for one in asked if one != "nothing"] or ["archive"]
        is_fit = all(one in SUPPLIERS and one not in self.suspended for one in asked)
        due_ms = self.business.now_ms + self.chance.choice([9, 9, 9, 0]) * HOUR_MS
        expected = may and is_ripe and is_fit and due_ms > self.business.now_ms
        if self.act(expected, who, "demand.collect", name, "why", asked, "rows", due_ms) and wish:
            wish.status, wish.manager = "collecting", who
            wish.asked = [str(one) for one in asked]

    def match(self) -> None:
        who, may = self.actor(self.having("manager"))
        name, wish, is_ripe = self.wish("collecting")
        supplied = [one for one in self.wishes if self.wishes[one].came]
        if supplied and self.chance.random() < 0.6:
            name = self.chance.choice(supplied)
            wish, is_ripe = self.wishes[name], self.wishes[name].status == "collecting"
        came = [dataset for _supplier, dataset in wish.came] if wish else []
        chosen = self.some([*came, *self.rows] if self.chance.random() < 0.3 else came or ["no"])
        if came and self.chance.random() < 0.7:
            chosen = [([one for one in came if self.is_usable(one)] or came)[0]]
        is_fit = self.are_listed(chosen) and any(str(one) in came for one in chosen)
        if self.act(may and is_ripe and is_fit, who, "demand.match", name, "", chosen) and wish:
            wish.status, wish.manager = "ready", who
            wish.matched = [str(one) for one in chosen]

    def abandon(self) -> None:
        who, may = self.actor(self.having("manager"))
        name, wish, is_ripe = self.wish("collecting")
        if self.act(may and is_ripe, who, "demand.abandon", name, "nobody has it") and wish:
            wish.status, wish.manager = "rejected", who

    # --- data sets --------------------------------------------------------------------------------

    def awaited(self, who: str) -> list[str]:
        """The demands that wait for what the supplier collects."""
        return [name for name, wish in self.wishes.items() if wish.awaits(who)]

    def draft(self) -> None:
        who, may = self.actor(self.having("supplier"))
        if self.chance.random() < 0.7:
            asked = [one for one in SUPPLIERS if self.awaited(one) and one not in self.suspended]
            who, may = (self.chance.choice(asked), True) if asked else (who, may)
        name = f"x{self.chance.randrange(len(self.rows) + 1)}"
        waiting = self.awaited(who)
        demand = self.chance.choice(waiting) if waiting and self.chance.random() < 0.8 else ""
        if self.chance.random() < 0.1:
            demand = self.chance.choice([*self.wishes, "nothing"])
        is_asked = demand == "" or (demand in self.wishes and self.wishes[demand].awaits(who))
        days = self.chance.choice([0, 7])
        text = changed(dataset_text(who), 6, days)
        expected = may and name not in self.rows and is_asked
        if self.act(expected, who, "catalog.draft", name, demand, *text):
            self.rows[name] = Rows(who, demand, days)

    def supply(self) -> None:
        """A supplier does what a demand asks of it, from the draft to the catalogue."""
        ready = [
            (who, demand)
            for who in SUPPLIERS
            for demand in self.awaited(who)
            if who not in self.suspended
        ]
        if not ready:
            return
        who, demand = self.chance.choice(ready)
        name = f"x{len(self.rows)}"
        self.act(True, who, "catalog.draft", name, demand, *dataset_text(who))
        self.rows[name] = Rows(who, demand, 90)
        self.entries_are_those_of_the_model()
        self.take_rows(True, who, "collect", name, self.rows[name])
        self.entries_are_those_of_the_model()
        self.enter(True, who, name, self.rows[name])

    def owning(self, rows: Rows | None) -> Callable[[str], bool]:
        return lambda name: rows is not None and name == rows.owner

    def describe(self) -> None:
        name, rows, is_ripe = self.entry("draft", "collected", "registered", "updated")
        who, may = self.actor(self.owning(rows))
        days = self.chance.choice([0, 7, 90])
        text = changed(dataset_text(who), 6, days)
        if self.act(may and is_ripe, who, "catalog.describe", name, *text) and rows:
            rows.days = days

    def shares(self) -> tuple[dict[str, int], list[Value]]:
        named = self.chance.sample(MEASURES, self.chance.randrange(1, 3))
        shares = {measure: self.chance.randrange(0, 1_000_001) for measure in named}
        return shares, [[measure, ppm] for measure, ppm in shares.items()]

    def bring_rows(self) -> None:
        method = self.chance.choice(["collect", "collect", "update"])
        ripe = ("draft", "collected") if method == "collect" else ("registered", "updated")
        name, rows, is_ripe = self.entry(*ripe)
        who, may = self.actor(self.owning(rows))
        self.take_rows(may and is_ripe, who, method, name, rows)

    def take_rows(
        self, expected: bool, who: str, method: str, name: str, rows: Rows | None
    ) -> None:
        count, (shares, said) = self.chance.randrange(0, 1000), self.shares()
        words: list[Value] = [count, digest(f"{name} {count}"), said]
        if self.act(expected, who, f"catalog.{method}", name, *words) and rows:
            if method == "collect":
                rows.counts, rows.figures, rows.most = [], {}, 0
            rows.status = "collected" if method == "collect" else "updated"
            rows.counts.append(count)
            rows.most = max(rows.most, count)
            rows.new_ms = self.business.now_ms
            rows.measure(who, shares)

    def register(self) -> None:
        name, rows, is_ripe = self.entry("collected")
        who, may = self.actor(self.owning(rows))
        self.enter(may and is_ripe, who, name, rows)

    def enter(self, expected: bool, who: str, name: str, rows: Rows | None) -> None:
        if self.act(expected, who, "catalog.register", name) and rows:
            rows.status = "registered"
            if rows.demand and self.wishes[rows.demand].awaits(who):
                self.wishes[rows.demand].came.append([who, name])

    def retire(self) -> None:
        name, rows, is_ripe = self.entry("draft", "collected", "registered", "updated")
        who, may = self.actor(self.owning(rows))
        if self.act(may and is_ripe, who, "catalog.retire", name, "outdated") and rows:
            rows.status = "retired"

    def measure(self) -> None:
        name, rows, is_ripe = self.entry("registered", "updated")
        who, may = self.actor(
            lambda one: self.owning(rows)(one) or not {"operator", "manager"}.isdisjoint(ROLES[one])
        )
        shares, said = self.shares()
        if self.act(may and is_ripe, who, "quality.measure", name, said, b"") and rows:
            rows.measure(who, shares)

    # --- the world --------------------------------------------------------------------------------

    def suspend_or_readmit(self) -> None:
        who = self.chance.choice([*self.suspended, *SUPPLIERS, "opco", "board", "bank"])
        method = "readmit" if who in self.suspended else "suspend"
        self.business.do("bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    def wait(self) -> None:
        self.business.pass_time(self.chance.randrange(1, 9) * DAY_MS)

    @rule()
    def somebody_acts(self) -> None:
        """What goes on is done more often than what ends something."""
        often = [self.collect, self.match, self.draft, self.bring_rows, self.register, self.supply]
        usual = [self.file, self.prescreen, self.review, self.describe, self.measure]
        rare = [self.abandon, self.retire, self.suspend_or_readmit, self.wait]
        self.chance.choice([*often * 4, *usual * 2, *rare])()

    # --- what must always hold --------------------------------------------------------------------

    def same(self, kind: str, name: str, told: Value, expected: str) -> None:
        assert told == expected, (kind, name, told)
        before = self.seen.get((kind, name), next(iter(NEXT[kind])))
        assert expected == before or expected in NEXT[kind].get(before, ()), (name, before)
        self.seen[kind, name] = expected

    @invariant()
    def demands_are_those_of_the_model(self) -> None:
        for name, wish in self.wishes.items():
            told = self.business.ask_record("bureau", "demand", "show", name)
            self.same("demand", name, told["status"], wish.status)
            assert (told["consumer"], told["operator"]) == (wish.consumer, wish.operator)
            assert (told["manager"], told["datasets"]) == (wish.manager, wish.matched)
            assert (told["suppliers"], told["collected"]) == (wish.asked, wish.came)

    @invariant()
    def entries_are_those_of_the_model(self) -> None:
        for name, rows in self.rows.items():
            told = self.business.ask_record("bureau", "catalog", "show", name)
            self.same("dataset", name, told["status"], rows.status)
            assert (told["owner"], told["version"]) == (rows.owner, len(rows.counts))
            gone = "suspended" if rows.owner in self.suspended else rows.status
            standing = self.business.ask("bureau", "catalog", "standing", name)
            assert standing == (rows.status if rows.status == "retired" else gone)
            course = self.business.ask_record("bureau", "catalog", "course", name)
            is_promised = rows.is_listed and rows.days > 0
            assert course["due_ms"] == (rows.new_ms + rows.days * DAY_MS if is_promised else 0)
            if rows.counts:
                assert course["row_count"] == rows.counts[-1]
                told = self.business.ask_record("bureau", "quality", "course", name)
                lost = (rows.most - rows.counts[-1]) * 100 // max(rows.most, 1)
                assert (told["lost_percent"], told["owner"]) == (lost, rows.owner)

    @invariant()
    def figures_are_those_of_the_model(self) -> None:
        for name, rows in self.rows.items():
            told = self.business.ask_record("bureau", "quality", "show", name)
            shown = told["figures"]
            assert isinstance(shown, list) and told["measurements"] == rows.measured
            found = {
                one["measure"]: (one["ppm"], one["before_ppm"], one["version"], one["party"])
                for one in shown
                if isinstance(one, dict)
            }
            assert found == rows.figures, name


@pytest.mark.slow
def test_demands_and_data_sets_do_what_the_model_says() -> None:
    """Every act must have been allowed and refused often enough for this to mean anything; so the
    draws are the same each time."""
    DataMachine.done.clear()
    run_pinned(DataMachine, examples=50, steps=80)
    done = DataMachine.done
    acts = {(contract, method) for contract, method, _ in done}
    assert len(acts) == 13
    for contract, method in acts:
        assert done[contract, method, True] and done[contract, method, False], (contract, method)
