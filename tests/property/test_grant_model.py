"""Random acts on grants, against a plain model: who signed what, what closed it, and until when.

The model is a folder of papers: who asked, who took it up, whose decision and countersignature it
bears, and what ended it. It derives the status from these and the time, as a clerk would. After
every act the chain must say the same, and no grant may ever have skipped a state.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import HOUR_MS, Business, changed, digest

MANAGERS = ("bureau", "board")
OPERATORS = ("opco", "rival")
PEOPLE = ("opco", "bureau", "opco", "bureau", "board", "rival", "insurer")
IDS = ("g0", "g1", "g2")
CHANNELS = ("c0", "c1")
CHANNEL_USES = 5
TASK_MS = HOUR_MS // 2
NEXT = {
    "": {"requested", "active"},  # at once only within a channel
    "requested": {"in_review", "withdrawn", "expired"},
    "in_review": {"granted", "refused", "withdrawn", "expired"},
    "granted": {"active", "revoked", "expired"},
    "active": {"suspended", "revoked", "expired"},
    "suspended": {"active", "revoked", "expired"},
    "expired": {"revoked"},  # what a manager granted can still be taken back
    "refused": set(),
    "withdrawn": set(),
    "revoked": set(),
}
people = st.sampled_from(PEOPLE)
ids = st.sampled_from(IDS)
channels = st.sampled_from(CHANNELS)
texts = st.sampled_from(["terms"] * 4 + ["others"])


@dataclass
class Paper:
    """A grant as a clerk files it."""

    from_ms: int
    expires_ms: int
    uses_max: int
    is_taken_up: bool = False
    is_granted: bool = False
    is_countersigned: bool = False
    is_held: bool = False  # by an incident
    closed: str = ""
    uses: int = 0

    def status(self, now_ms: int) -> str:
        if self.closed:
            return self.closed
        if now_ms >= self.expires_ms:
            return "expired"
        if self.is_countersigned:
            return "suspended" if self.is_held else "active"
        if self.is_granted:
            return "granted"
        return "in_review" if self.is_taken_up else "requested"


@dataclass
class Tunnel:
    """A channel as a clerk files it: what is left of it."""

    operator: str
    until_ms: int
    left: int = CHANNEL_USES
    is_closed: bool = False


class GrantMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize(stages=st.permutations([0, 1, 2, 3, 4]), channel=st.sampled_from(["", "c0"]))
    def begin(self, stages: list[int], channel: str) -> None:
        self.business = Business()
        self.business.approved()
        self.papers: dict[str, Paper] = {}
        self.tunnels: dict[str, Tunnel] = {}
        self.seen: dict[str, str] = {}
        self.suspended: set[str] = set()
        self.tasks = 0
        self.measures = 0  # of the incident i1
        self.held: dict[str, list[int]] = {}  # grant -> its measures that are not lifted
        self.act(True, "bureau", "incident", "open", "i1", "Leak", "development", "critical",
                 "opco", [])  # fmt: skip
        self.preapprove("bureau", "c0", "opco")
        for name, steps in zip(IDS, stages, strict=False):
            self.go_on(name, 12, channel, steps, 0)

    @property
    def now_ms(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.now_ms

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)
        self.look()

    def look(self) -> None:
        """No act takes any grant further than by one step."""
        listed = self.business.ask("insurer", "grant", "list", 0, 100)
        assert isinstance(listed, list)
        for grant in listed:
            assert isinstance(grant, dict)
            name = str(grant["id"])
            status = str(self.business.ask("insurer", "grant", "standing", name))
            before = self.seen.get(name, "")
            assert status == before or status in NEXT[before], (name, before, status)
            self.seen[name] = status

    def stands(self, name: str, *states: str) -> bool:
        paper = self.papers.get(name)
        return paper is not None and paper.status(self.now_ms) in states

    def may(self, who: str, role: tuple[str, ...]) -> bool:
        return who in role and who not in self.suspended

    def digest_of(self, name: str, text: str) -> Value:
        if text == "others" or name not in self.papers:
            return digest("other terms")
        return self.business.terms_digest(name)

    # --- the way to two signatures --------------------------------------------------------------

    @rule(
        who=people,
        name=ids,
        begin=st.integers(-1, 2),
        hours=st.integers(0, 8),
        uses=st.integers(0, 3),
        channel=st.sampled_from(["", "", "", *CHANNELS]),
    )
    def request(self, who: str, name: str, begin: int, hours: int, uses: int, channel: str) -> None:
        from_ms = self.now_ms + begin * HOUR_MS if begin > 0 else begin
        expires_ms = self.now_ms + hours * HOUR_MS
        terms = self.business.grant_terms(uses_max=uses)
        terms = changed(changed(terms, 8, from_ms), 9, expires_ms)
        expected = (
            # the demand was forwarded by this operator
            who == "opco"
            and self.may(who, OPERATORS)
            and name not in self.papers
            and 0 <= from_ms < expires_ms
            and hours > 0
            and uses > 0
            and (not channel or self.is_within(channel, uses))
            and not (channel and any(self.held.values()))
        )
        self.act(expected, who, "grant", "request", name, *changed(terms, -1, channel))
        if not expected:
            return
        paper = self.papers[name] = Paper(from_ms, expires_ms, uses)
        if channel:
            paper.is_taken_up = paper.is_granted = paper.is_countersigned = True
            self.tunnels[channel].left -= uses

    def is_within(self, channel: str, uses: int) -> bool:
        tunnel = self.tunnels.get(channel)
        return (
            tunnel is not None
            and tunnel.operator == "opco"
            and not tunnel.is_closed
            and self.now_ms < tunnel.until_ms
            and uses <= tunnel.left
        )

    @rule(who=people, name=ids)
    def review(self, who: str, name: str) -> None:
        expected = self.may_do(who, name, "review")
        self.act(expected, who, "grant", "review", name)
        if expected:
            self.papers[name].is_taken_up = True

    @rule(who=people, name=ids, approved=st.booleans(), note=st.sampled_from(["", "why"]), on=texts)
    def decide(self, who: str, name: str, approved: bool, note: str, on: str) -> None:
        is_whole = on == "terms" and (note != "" or approved)
        expected = is_whole and self.may_do(who, name, "decide", approved=approved)
        self.act(expected, who, "grant", "decide", name, approved, note, self.digest_of(name, on))
        if expected and approved:
            self.papers[name].is_granted = True
        elif expected:
            self.papers[name].closed = "refused"

    @rule(who=people, name=ids, on=texts)
    def accept(self, who: str, name: str, on: str) -> None:
        expected = on == "terms" and self.may_do(who, name, "accept")
        self.act(expected, who, "grant", "accept", name, self.digest_of(name, on))
        if expected:
            self.papers[name].is_countersigned = True

    @rule(
        name=ids,
        hours=st.integers(4, 12),
        channel=st.sampled_from(["", "", *CHANNELS]),
        steps=st.integers(1, 4),
        begin=st.integers(0, 1),
    )
    def go_on(self, name: str, hours: int, channel: str, steps: int, begin: int) -> None:
        """The next right steps; before and after each, everybody tries what may not be done."""
        for who in sorted(self.suspended):
            self.suspend_or_readmit(who)
        for _ in range(steps):
            self.everybody_tries(name)
            if name not in self.papers:
                self.request("opco", name, begin, hours, 2, channel)
            elif self.stands(name, "requested"):
                self.review("bureau", name)
            elif self.stands(name, "in_review"):
                self.decide("board", name, True, "", "terms")
            elif self.stands(name, "granted"):
                self.accept("opco", name, "terms")
            else:
                self.use("opco", name)
        self.everybody_tries(name)

    @rule(who=people, name=ids)
    def withdraw(self, who: str, name: str) -> None:
        expected = self.may_do(who, name, "withdraw")
        self.act(expected, who, "grant", "withdraw", name, "why")
        if expected:
            self.papers[name].closed = "withdrawn"

    def everybody_tries(self, name: str) -> None:
        """Whatever may not be done now is tried by everybody: it changes nothing."""
        for who in dict.fromkeys(PEOPLE):
            for method in ("review", "withdraw", "revoke"):
                if not self.may_do(who, name, method):
                    words = ["why"] if method != "review" else []
                    self.act(False, who, "grant", method, name, *words)
            for on in ("terms", "others"):
                signed = self.digest_of(name, on)
                if on == "others" or not self.may_do(who, name, "accept"):
                    self.act(False, who, "grant", "accept", name, signed)
                for approved in (True, False):
                    if on == "others" or not self.may_do(who, name, "decide", approved=approved):
                        self.act(False, who, "grant", "decide", name, approved, "why", signed)
            if not self.may_use(who, name):
                self.act(False, who, "task", "create", *self.order(name))

    def may_do(self, who: str, name: str, method: str, *, approved: bool = False) -> bool:
        """May `who` make this step of the grant now?"""
        paper = self.papers.get(name)
        if paper is None:
            return False
        if method == "revoke":
            return self.may(who, MANAGERS) and paper.is_granted and not paper.closed
        if method == "review":
            return self.may(who, MANAGERS) and self.stands(name, "requested")
        if method == "decide":
            is_good = not approved or "opco" not in self.suspended
            return is_good and self.may(who, MANAGERS) and self.stands(name, "in_review")
        states = ("granted",) if method == "accept" else ("requested", "in_review")
        return who == "opco" and self.may(who, OPERATORS) and self.stands(name, *states)

    def may_use(self, who: str, name: str) -> bool:
        paper = self.papers.get(name)
        return (
            paper is not None
            and who == "opco"
            and self.may(who, OPERATORS)
            and self.stands(name, "active")
            and self.now_ms >= paper.from_ms
            and paper.expires_ms > self.now_ms + TASK_MS
            and paper.uses < paper.uses_max
        )

    def order(self, name: str) -> list[Value]:
        deadline_ms = self.now_ms + TASK_MS
        return changed(self.business.order(f"t{self.tasks}", name), 6, deadline_ms)

    # --- while it stands, and its end -----------------------------------------------------------

    @rule(who=people, name=ids)
    def use(self, who: str, name: str) -> None:
        expected = self.may_use(who, name)
        self.act(expected, who, "task", "create", *self.order(name))
        if expected:
            self.papers[name].uses += 1
            self.tasks += 1

    @rule(who=people, name=ids)
    def revoke(self, who: str, name: str) -> None:
        expected = self.may_do(who, name, "revoke")
        self.act(expected, who, "grant", "revoke", name, "why")
        if expected:
            self.papers[name].closed = "revoked"

    @rule(who=people, name=ids)
    def hold(self, who: str, name: str) -> None:
        """An incident suspends it, by a manager or by its own operator."""
        paper = self.papers.get(name)
        expected = (
            paper is not None
            and paper.is_countersigned
            and not paper.closed
            and (self.may(who, MANAGERS) or (who == "opco" and self.may(who, OPERATORS)))
        )
        self.act(expected, who, "incident", "suspend_grant", "i1", name, "leak")
        if expected and paper is not None:
            paper.is_held = True
            self.measures += 1
            self.held.setdefault(name, []).append(self.measures)

    @rule(name=ids)
    def lift(self, name: str) -> None:
        held = self.held.get(name, [])
        if held and "bureau" not in self.suspended:
            self.act(True, "bureau", "incident", "lift", "i1", held.pop(), "mended")
            self.papers[name].is_held = bool(held)

    # --- channels -------------------------------------------------------------------------------

    @rule(who=people, name=channels, operator=st.sampled_from([*OPERATORS, "opco", "health"]))
    def preapprove(self, who: str, name: str, operator: str) -> None:
        asked = changed(self.business.channel(CHANNEL_USES), 0, operator)
        until_ms = self.now_ms + 9 * HOUR_MS
        expected = (
            self.may(who, MANAGERS) and name not in self.tunnels and self.may(operator, OPERATORS)
        )
        self.act(expected, who, "preapproval", "preapprove", name, *changed(asked, -1, until_ms))
        if expected:
            self.tunnels[name] = Tunnel(operator, until_ms)

    @rule(who=people, name=channels)
    def close_channel(self, who: str, name: str) -> None:
        tunnel = self.tunnels.get(name)
        expected = self.may(who, MANAGERS) and tunnel is not None and not tunnel.is_closed
        self.act(expected, who, "preapproval", "close_channel", name, "why")
        if expected and tunnel is not None:
            tunnel.is_closed = True

    # --- the world ------------------------------------------------------------------------------

    @rule(hours=st.integers(1, 2))
    def wait(self, hours: int) -> None:
        self.business.pass_time(hours * HOUR_MS)
        self.look()

    @rule(who=st.sampled_from(["opco", "board"]))
    def suspend_or_readmit(self, who: str) -> None:
        method = "readmit" if who in self.suspended else "suspend"
        self.act(True, "bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def every_grant_stands_as_filed(self) -> None:
        for name, paper in self.papers.items():
            status = str(self.business.ask("insurer", "grant", "standing", name))
            now_ms = self.business.now_ms
            assert status == paper.status(now_ms)
            shown = self.business.ask_record("insurer", "grant", "show", name)
            assert (shown["uses"], shown["uses_max"]) == (paper.uses, paper.uses_max)
            is_usable = status == "active" and paper.from_ms <= now_ms
            is_usable = is_usable and "opco" not in self.suspended
            assert self.business.ask("insurer", "grant", "is_valid", name) is is_usable

    @invariant()
    def no_channel_gives_more_than_it_has(self) -> None:
        for name, tunnel in self.tunnels.items():
            shown = self.business.ask_record("insurer", "preapproval", "show", name)
            assert shown["uses_given"] == CHANNEL_USES - tunnel.left
            assert tunnel.left >= 0


TestGrants = pytest.mark.slow(GrantMachine.TestCase)
TestGrants.settings = settings(max_examples=20, stateful_step_count=25)
