"""Random acts on commissions and assets, against a plain model written from docs/oversight.md.

After every act the chain must say the same of every record and every check, and no record may ever
have skipped a state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import Business, changed, digest
from tests.platform import DAY_MS, STANDING, TEXT, described, engaged, terms

WORKERS = ("devhouse", "chipworks")
IDS = ("k0", "k1", "k2", "k3")
NEXT = {
    "offered": {"accepted", "declined", "withdrawn"},
    "accepted": {"closed", "ended"},
    "declined": set(),
    "withdrawn": set(),
    "closed": set(),
    "ended": set(),
}


def seats(*mostly: str) -> st.SearchStrategy[str]:
    """Who acts on a commission: mostly who may, else the other side or somebody else."""
    return st.sampled_from((*mostly * 6, "operator", "party", "rival", "bureau", "bank"))


ids = st.sampled_from(IDS)


@dataclass
class Order:
    """A commission as the two sides would file it."""

    party: str
    kind: str
    due_ms: int
    status: str = "offered"
    covered_ms: int = 0
    reports: list[int] = field(default_factory=list)  # anomalies of each
    pieces: list[str] = field(default_factory=list)  # status of each

    @property
    def is_standing(self) -> bool:
        return self.kind in STANDING

    def is_done(self) -> bool:
        if "handed_in" in self.pieces:
            return False
        return self.covered_ms >= self.due_ms if self.is_standing else "approved" in self.pieces

    def owes(self, check: str, now_ms: int) -> bool:
        """Is something a day or more late?"""
        if self.status != "accepted" or self.is_standing is not (check == "work_unreported"):
            return False
        if not self.is_standing:
            is_shown = bool({"handed_in", "approved"} & set(self.pieces))
            return not is_shown and now_ms >= self.due_ms + DAY_MS
        next_ms = min(self.covered_ms + DAY_MS, self.due_ms)
        return self.covered_ms < self.due_ms and now_ms >= next_ms + DAY_MS


class CommissionMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.orders: dict[str, Order] = {}
        self.seen: dict[str, str] = {}
        self.engaged: dict[str, str] = {}  # party -> the engagement that is approved
        self.suspended: set[str] = set()
        for party in WORKERS:
            engaged(self.business, party)
            self.engaged[party] = f"x-opco-{party}"
        self.begin_work("k0", "build")
        self.begin_work("k1", "monitor")

    @property
    def now_ms(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.now_ms + 1

    def act(self, expected: bool, who: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, "commission", method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)

    def who(self, seat: str, name: str) -> str:
        if seat == "operator":
            return "opco"
        order = self.orders.get(name)
        return seat if seat != "party" else (order.party if order else "devhouse")

    def is_under_way(self, name: str, who: str, side: str) -> bool:
        """May this side go on with the work?"""
        order = self.orders.get(name)
        if order is None or order.status != "accepted" or who in self.suspended:
            return False
        is_engaged = order.party in self.engaged and "opco" not in self.suspended
        return is_engaged and who == ("opco" if side == "operator" else order.party)

    # --- acts -------------------------------------------------------------------------------

    @rule(
        seat=seats("operator"),
        name=ids,
        party=st.sampled_from((*WORKERS, "devhouse", "opco")),
        kind=st.sampled_from(("build", "assess", "operate", "monitor", "paint")),
        days=st.integers(0, 4),
    )
    def offer(self, seat: str, name: str, party: str, kind: str, days: int) -> None:
        who = self.who(seat, name)
        due_ms = self.now_ms + days * DAY_MS
        words = changed([name, *terms(self.business, kind, party)], 8, due_ms)
        expected = who == "opco" and name not in self.orders and days > 0 and kind != "paint"
        expected = expected and party in self.engaged and "opco" not in self.suspended
        self.act(expected, who, "offer", *words)
        if expected:
            self.orders[name] = Order(party, kind, due_ms)

    @rule(seat=seats("party"), name=ids, text=st.sampled_from(["read"] * 4 + ["another"]))
    def accept(self, seat: str, name: str, text: str) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        expected = (
            order is not None
            and order.status == "offered"
            and who == order.party
            and not {who, "opco"} & self.suspended
            and order.party in self.engaged
            and text == "read"
            and self.now_ms < order.due_ms
        )
        now_ms = self.now_ms
        self.act(expected, who, "accept", name, TEXT if text == "read" else digest(text))
        if expected and order is not None:
            order.status, order.covered_ms = "accepted", now_ms

    @rule(name=ids, kind=st.sampled_from(("build", "monitor")))
    def begin_work(self, name: str, kind: str) -> None:
        self.offer("operator", name, "devhouse", kind, 2)
        self.accept("party", name, "read")

    @rule(name=ids, passed=st.booleans())
    def work_well(self, name: str, passed: bool) -> None:
        """What is done when each side does its part; closed, when nothing is left to be done."""
        order = self.orders.get(name)
        if order is None or not order.is_standing:
            self.hand_in("party", name)
            self.judge("operator", name, len(order.pieces) if order else 1, passed)
        else:
            self.wait(24)
            self.report("party", name, 0)
        self.close("operator", name)

    @rule(
        seat=seats("operator", "party"), name=ids, method=st.sampled_from(["decline"] * 3 + ["end"])
    )
    def let_go(self, seat: str, name: str, method: str) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        if order is None or who in self.suspended:
            self.act(False, who, method, name, "why")
            return
        is_side = who in ("opco", order.party)
        if method == "decline":
            expected = is_side and order.status == "offered"
            status = "withdrawn" if who == "opco" else "declined"
        else:
            expected = (is_side or who == "bureau") and order.status == "accepted"
            status = "ended"
        self.act(expected, who, method, name, "why")
        if expected:
            order.status = status

    @rule(seat=seats("party"), name=ids)
    def hand_in(self, seat: str, name: str) -> None:
        who = self.who(seat, name)
        expected = self.is_under_way(name, who, "party")
        self.act(expected, who, "hand_in", name, [digest("work")], [], "")
        if expected:
            self.orders[name].pieces.append("handed_in")

    @rule(
        seat=seats("operator"),
        name=ids,
        number=st.sampled_from((1, 2, 1, 2, 3, 0)),
        passed=st.booleans(),
    )
    def judge(self, seat: str, name: str, number: int, passed: bool) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        expected = (
            order is not None
            and self.is_under_way(name, who, "operator")
            and 1 <= number <= len(order.pieces)
            and order.pieces[number - 1] == "handed_in"
        )
        self.act(expected, who, "judge", name, number, passed, "said")
        if expected and order is not None:
            order.pieces[number - 1] = "approved" if passed else "returned"

    @rule(seat=seats("party"), name=ids, back_ms=st.sampled_from((0, DAY_MS // 2, DAY_MS, -DAY_MS)))
    def report(self, seat: str, name: str, back_ms: int) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        to_ms, anomalies = self.now_ms - back_ms, back_ms % 7
        expected = (
            order is not None
            and self.is_under_way(name, who, "party")
            and order.is_standing
            and order.covered_ms < to_ms <= self.now_ms
        )
        self.act(expected, who, "report", name, to_ms, digest("day"), anomalies, "")
        if expected and order is not None:
            order.covered_ms = to_ms
            order.reports.append(anomalies)

    @rule(seat=seats("operator"), name=ids, days=st.integers(-1, 3))
    def prolong(self, seat: str, name: str, days: int) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        due_ms = (order.due_ms if order else 0) + days * DAY_MS
        expected = (
            order is not None
            and self.is_under_way(name, who, "operator")
            and due_ms > max(order.due_ms, self.now_ms)
        )
        self.act(expected, who, "prolong", name, due_ms, "more to do")
        if expected and order is not None:
            order.due_ms = due_ms

    @rule(seat=seats("operator"), name=ids)
    def close(self, seat: str, name: str) -> None:
        who = self.who(seat, name)
        order = self.orders.get(name)
        expected = (
            order is not None
            and order.status == "accepted"
            and who == "opco"
            and who not in self.suspended
            and order.is_done()
        )
        self.act(expected, who, "close", name, "")
        if expected and order is not None:
            order.status = "closed"

    # --- what happens around them -----------------------------------------------------------

    @rule(hours=st.sampled_from((12, 24, 72)))
    def wait(self, hours: int) -> None:
        self.business.pass_time(hours * DAY_MS // 24)

    @rule(what=st.sampled_from((*WORKERS, "suspend opco", "suspend devhouse")), name=ids)
    def disturb(self, what: str, name: str) -> None:
        """An engagement ends or a party is suspended; both sides try what they can, in vain."""
        if what in WORKERS:
            self.business.do("bureau", "oversight", "end", self.engaged.pop(what), "why")
        else:
            self.suspended.add(what.split()[1])
            self.business.do("bureau", "parties", "suspend", what.split()[1], "audit")
        self.accept("party", name, "read")
        self.hand_in("party", name)
        self.report("party", name, 0)
        self.judge("operator", name, 1, True)
        self.prolong("operator", name, 1)
        self.mend()

    def mend(self) -> None:
        for party in sorted(self.suspended):
            self.business.do("bureau", "parties", "readmit", party, "audit passed")
        self.suspended.clear()
        for party in WORKERS:
            if party not in self.engaged:
                engagement = f"x{self.business.chain.height}-{party}"
                self.business.do("opco", "oversight", "select", engagement, party, "")
                self.business.do("bureau", "oversight", "review", engagement, True, "")
                self.engaged[party] = engagement

    # --- what must hold ---------------------------------------------------------------------

    @invariant()
    def every_commission_stands_as_filed_and_skipped_no_state(self) -> None:
        for name, order in self.orders.items():
            shown = self.business.ask_record("board", "commission", "show", name)
            status = str(shown["status"])
            before = self.seen.get(name, "offered")
            assert status == before or status in NEXT[before], (name, before, status)
            self.seen[name] = status
            told = (status, shown["covered_ms"], shown["due_ms"], shown["anomalies"])
            assert told == (order.status, order.covered_ms, order.due_ms, sum(order.reports))
            counts = (shown["reports"], shown["hand_ins"], shown["waiting"], shown["approved"])
            filed = order.pieces
            held = (filed.count("handed_in"), filed.count("approved"))
            assert counts == (len(order.reports), len(filed), *held)
            for check in ("work_unreported", "work_overdue"):
                seen = self.business.ask_record("board", "risk", "look", check, name)
                assert seen["is_due"] is order.owes(check, self.business.now_ms), (
                    name,
                    check,
                    seen,
                )

    @invariant()
    def every_piece_is_judged_as_filed(self) -> None:
        for name, order in self.orders.items():
            work = self.business.ask("board", "commission", "work_of", name, 0, 100)
            assert isinstance(work, list)
            assert [piece["status"] for piece in work if isinstance(piece, dict)] == order.pieces


FOLLOWS = {
    "put_in_service": ({"registered", "maintenance"}, "in_service"),
    "maintain": ({"in_service"}, "maintenance"),
    "retire": ({"registered", "in_service", "maintenance"}, "retired"),
}


@dataclass
class Thing:
    """An asset as its operator would file it."""

    until_ms: int
    status: str = "registered"
    versions: list[str] = field(default_factory=list)  # release of each
    past: list[tuple[str, int]] = field(default_factory=list)  # what happened, to which version


class AssetMachine(RuleBasedStateMachine):
    """Acts of the operator and of others."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.things: dict[str, Thing] = {}

    def act(self, expected: bool, who: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, "asset", method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)

    @rule(who=st.sampled_from(("opco", "opco", "chipworks", "bureau")), name=ids,
          days=st.integers(1, 40))  # fmt: skip
    def register(self, who: str, name: str, days: int) -> None:
        words = described(self.business, days=days)
        until_ms = self.business.now_ms + days * DAY_MS
        expected = who == "opco" and name not in self.things
        self.act(expected, who, "register", name, "tee", "chipworks", "Maker", "M1", *words)
        if expected:
            self.things[name] = Thing(until_ms, versions=["5.2"], past=[("registered", 1)])

    @rule(who=st.sampled_from(("opco", "opco", "rival")), name=ids, days=st.integers(1, 40),
          release=st.sampled_from(("6.0", "7.0")))  # fmt: skip
    def describe(self, who: str, name: str, days: int, release: str) -> None:
        words = changed(described(self.business, days=days), 1, release)
        until_ms = self.business.now_ms + days * DAY_MS
        thing = self.things.get(name)
        expected = who == "opco" and thing is not None and thing.status != "retired"
        self.act(expected, who, "describe", name, *words, "anew")
        if expected and thing is not None:
            thing.until_ms = until_ms
            thing.versions.append(release)
            thing.past.append(("described", len(thing.versions)))

    @rule(who=st.sampled_from(("opco", "opco", "opco", "rival")), name=ids,
          method=st.sampled_from((*FOLLOWS, "put_in_service", "maintain")))  # fmt: skip
    def turn(self, who: str, name: str, method: str) -> None:
        thing, (before, after) = self.things.get(name), FOLLOWS[method]
        expected = who == "opco" and thing is not None and thing.status in before
        if method == "put_in_service" and thing is not None:
            expected = expected and self.business.now_ms + 1 < thing.until_ms
        self.act(expected, who, method, name, "why")
        if expected and thing is not None:
            thing.status = after
            thing.past.append((after, len(thing.versions)))

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.business.pass_time(days * DAY_MS)

    @invariant()
    def every_asset_stands_as_filed_with_all_that_it_was(self) -> None:
        now_ms = self.business.now_ms
        for name, thing in self.things.items():
            shown = self.business.ask_record("board", "asset", "show", name)
            assert (shown["status"], shown["certificate_until_ms"], shown["version"]) == (
                thing.status, thing.until_ms, len(thing.versions),
            )  # fmt: skip
            for number, release in enumerate(thing.versions, 1):
                kept = self.business.ask_record("board", "asset", "version", name, number)
                assert kept["release"] == release
            told = self.business.ask("board", "asset", "history", name, 0, 100)
            assert isinstance(told, list)
            assert [(c["kind"], c["version"]) for c in told if isinstance(c, dict)] == thing.past
            is_over = now_ms >= thing.until_ms
            is_near = not is_over and thing.until_ms - now_ms < 30 * DAY_MS
            is_used = thing.status in ("in_service", "maintenance")
            due = {
                "asset_expiring": is_used and is_near,
                "asset_expired": thing.status == "in_service" and is_over,
            }
            for check, is_due in due.items():
                seen = self.business.ask_record("board", "risk", "look", check, name)
                assert seen["is_due"] is is_due, (name, check, seen)


TestCommissions = pytest.mark.slow(CommissionMachine.TestCase)
TestCommissions.settings = settings(max_examples=25, stateful_step_count=30)
TestAssets = pytest.mark.slow(AssetMachine.TestCase)
TestAssets.settings = settings(max_examples=15, stateful_step_count=25)
