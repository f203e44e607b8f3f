"""Random acts on rules and plans, against a plain model: a list of what was enacted from when.

The model knows no statuses of the contract: what holds at a height it finds by looking through the
enactments. After every act the chain must say the same, at this height and at every earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import Business, digest

STAGES = ("aggregation", "authorization", "development", "delivery")
# Who may write what, from which stage on, in the words of 8.6.2 to 8.6.5.
AUTHORS = {"rule": "manager", "monitoring": "operator", "warning": "operator",
           "emergency": "operator"}  # fmt: skip
BEGINS = {"rule": 0, "monitoring": 0, "warning": 1, "emergency": 2}
ROLES = {"bureau": "manager", "board": "manager", "opco": "operator", "rival": "operator",
         "health": "supplier", "bank": "consumer"}  # fmt: skip
IDS = ("r0", "r1", "r2", "r3")
# What may follow what, for one version; announced and effective versions also end by revocation.
NEXT = {
    "draft": {"withdrawn", "announced", "effective"},
    "announced": {"effective", "superseded", "revoked"},
    "effective": {"superseded", "revoked"},
    "withdrawn": set(),
    "superseded": set(),
    "revoked": set(),
}

people = st.sampled_from(sorted(ROLES))
ids = st.sampled_from(IDS)


@dataclass
class Text:
    """A text as a clerk would file it."""

    kind: str
    stage: str
    author: str
    drafts: list[str] = field(default_factory=list)  # open, withdrawn or enacted, by number - 1
    limits: list[int] = field(default_factory=list)
    enacted: list[tuple[int, int]] = field(default_factory=list)  # from height, number
    revoked_at: int | None = None

    def holds(self, height: int) -> int:
        if self.revoked_at is not None and height >= self.revoked_at:
            return 0
        return max((n for begin, n in self.enacted if begin <= height), default=0)

    def is_live(self) -> bool:
        return bool(self.enacted) and self.revoked_at is None


class RulesMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.texts: dict[str, Text] = {}
        self.suspended: set[str] = set()
        self.seen: dict[tuple[str, int], str] = {}

    @property
    def height(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.chain.height + 1

    def may(self, who: str, role: str) -> bool:
        return ROLES[who] == role and who not in self.suspended

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)

    @rule(who=people, name=ids, kind=st.sampled_from(sorted(AUTHORS)),
          stage=st.sampled_from(STAGES), limit=st.sampled_from([0, 1, 24, 8761]))  # fmt: skip
    def draft(self, who: str, name: str, kind: str, stage: str, limit: int) -> None:
        limits: list[Value] = [["delivery_unanswered", limit, "warning"]] if limit else []
        known = self.texts.get(name)
        expected = (
            self.may(who, AUTHORS[kind])
            and STAGES.index(stage) >= BEGINS[kind]
            and (limit == 0 or (kind == "monitoring" and stage == "delivery" and limit <= 8760))
        )
        if known is not None:
            expected = expected and (
                (known.author, known.kind, known.stage) == (who, kind, stage)
                and known.revoked_at is None
                and known.drafts[-1] != "open"
            )
        self.act(expected, who, "rules", "draft", name, kind, stage, "T", digest(name), "", limits)
        if expected:
            text = self.texts.setdefault(name, Text(kind, stage, who))
            text.drafts.append("open")
            text.limits.append(limit)

    @rule(name=ids, stage=st.sampled_from(STAGES), limit=st.sampled_from([0, 1, 24]))
    def draft_well(self, name: str, stage: str, limit: int) -> None:
        """Random words rarely fit: here a text that exists, or a monitoring plan, by its author."""
        text = self.texts.get(name, Text("monitoring", stage, "opco"))
        is_plan = text.kind == "monitoring" and text.stage == "delivery"
        self.draft(text.author, name, text.kind, text.stage, limit if is_plan else 0)

    @rule(who=people, name=ids)
    def withdraw(self, who: str, name: str) -> None:
        text = self.texts.get(name)
        expected = (
            text is not None
            and text.author == who
            and who not in self.suspended
            and text.drafts[-1] == "open"
        )
        self.act(expected, who, "rules", "withdraw", name)
        if expected and text is not None:
            text.drafts[-1] = "withdrawn"

    @rule(who=people, name=ids, ahead=st.integers(-1, 3), skew=st.sampled_from([0, 0, 0, 1]),
          is_read=st.sampled_from([True, True, True, False]))  # fmt: skip
    def enact(self, who: str, name: str, ahead: int, skew: int, is_read: bool) -> None:
        text = self.texts.get(name)
        begin = self.height + ahead
        number = (len(text.drafts) if text else 1) + skew
        expected = (
            self.may(who, "manager")
            and text is not None
            and text.drafts[-1] == "open"
            and skew == 0
            and is_read
            and ahead > 0
            and all(height <= self.height for height, _number in text.enacted)
        )
        if expected and text is not None and text.kind == "monitoring":
            expected = not any(
                other.kind == "monitoring" and other.stage == text.stage and other.is_live()
                for other_name, other in self.texts.items()
                if other_name != name
            )
        read = digest(name) if is_read else digest("another text")
        self.act(expected, who, "rules", "enact", name, number, read, begin)
        if expected and text is not None:
            text.drafts[-1] = "enacted"
            text.enacted.append((begin, number))

    @rule(name=ids, ahead=st.integers(1, 3))
    def enact_well(self, name: str, ahead: int) -> None:
        self.enact("bureau", name, ahead, 0, True)

    @rule(name=ids, stage=st.sampled_from(STAGES), ahead=st.integers(1, 3), again=st.integers(1, 3))
    def go_on(self, name: str, stage: str, ahead: int, again: int) -> None:
        """A version is in force or announced, and the next one comes at once."""
        for begin in (ahead, again):
            self.draft_well(name, stage, 0)
            self.enact_well(name, begin)
            self.what_held_when_is_what_was_enacted()

    @rule(who=people, name=ids)
    def revoke(self, who: str, name: str) -> None:
        text = self.texts.get(name)
        expected = self.may(who, "manager") and text is not None and text.is_live()
        self.act(expected, who, "rules", "revoke", name, "flawed")
        if expected and text is not None:
            text.revoked_at = self.business.chain.height
            if text.drafts[-1] == "open":
                text.drafts[-1] = "withdrawn"

    @rule(blocks=st.integers(1, 4))
    def wait(self, blocks: int) -> None:
        self.business.chain.advance(height=blocks)

    @rule(who=st.sampled_from(["opco", "rival", "board"]))
    def suspend_or_readmit(self, who: str) -> None:
        method = "readmit" if who in self.suspended else "suspend"
        self.act(True, "bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def what_held_when_is_what_was_enacted(self) -> None:
        now = self.business.chain.height
        for name, text in self.texts.items():
            for height in {now, max(now - 1, 0), max(now - 5, 0)}:
                told = self.business.ask("bureau", "rules", "in_force", name, height)
                assert told == text.holds(height), (name, height)

    @invariant()
    def every_version_is_where_the_files_say_and_skipped_no_state(self) -> None:
        now = self.business.chain.height
        for name, text in self.texts.items():
            for number, state in enumerate(text.drafts, 1):
                shown = self.business.ask_record("bureau", "rules", "version", name, number)
                status = str(shown["status"])
                before = self.seen.get((name, number), "draft")
                assert status == before or status in NEXT[before], (name, number, before, status)
                self.seen[name, number] = status
                if state != "enacted":
                    assert status == {"open": "draft", "withdrawn": "withdrawn"}[state]
                    continue
                if text.holds(now) == number:
                    assert status == "effective"
                elif text.revoked_at is None:
                    begin = next(height for height, n in text.enacted if n == number)
                    assert status == ("announced" if now < begin else "superseded")
                else:
                    assert status in ("revoked", "superseded")

    @invariant()
    def checks_judge_by_the_plan_that_holds(self) -> None:
        expected = (72, "")
        for name, text in self.texts.items():
            if text.kind == "monitoring" and text.stage == "delivery":
                number = text.holds(self.business.chain.height)
                if number and text.limits[number - 1]:
                    expected = (text.limits[number - 1], name)
        told = self.business.ask_record("health", "rules", "limit_of", "delivery_unanswered")
        assert (told["limit"], told["rule_id"]) == expected


TestRules = pytest.mark.slow(RulesMachine.TestCase)
TestRules.settings = settings(max_examples=40, stateful_step_count=40)
