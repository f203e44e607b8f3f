"""The story of a grant: from real receipts of the contracts, with what was refused in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from client.errors import Refused
from client.grant_story import PAGES_MAX, Story, grant_story
from client.node import Outcome
from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.encoding import encode
from ledger.history.pages import WHOLE, AccountEntry, Page, Span, SubjectEntry, encode_cursor
from ledger.history.rows import subjects_of
from ledger.model import Receipt, Transaction, TransactionBody
from ledger.values import Value, encode_value
from tests.business import HOUR_MS, OFFER, Business, acceptance, digest, result

R = TypeVar("R", SubjectEntry, AccountEntry)
PAGE = 2  # rows of a page: all stories here go over several


class Recorded(Business):
    """A business whose receipts are kept, as the history of a node has them."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[tuple[bytes, SubjectEntry]] = []
        self.accounts: list[tuple[str, AccountEntry]] = []
        self.outcomes: dict[bytes, Outcome] = {}

    def act(self, who: str, contract: str, method: str, *args: Value) -> Receipt:
        receipt = super().act(who, contract, method, *args)
        self.keep(who, contract, method, list(args), receipt, index=0)
        return receipt

    def keep(
        self,
        who: str,
        contract: str,
        method: str,
        args: Sequence[Value],
        receipt: Receipt,
        *,
        index: int,
    ) -> None:
        height, now_ms, wanted = self.chain.height, self.now_ms, receipt.transaction_id
        first = sum(row.height == height for _subject, row in self.subjects)
        for place, event in enumerate(receipt.events, first):
            for subject, fields in subjects_of(event).items():
                row = SubjectEntry(height, place, now_ms, wanted, event, fields)
                self.subjects.append((subject, row))
        status, error = receipt.status, receipt.error
        sent = AccountEntry(height, index, now_ms, wanted, contract, method, status, error)
        self.accounts.append((account(who), sent))
        encoded = encode_value(list(args))
        body = TransactionBody(
            1, bytes(32), bytes(64), bytes(16), height + 1, contract, method, encoded, 1
        )
        self.outcomes[wanted] = Outcome(
            Transaction(encode(body), b""), receipt, height, index, None
        )

    # --- what a node is asked ---------------------------------------------------------------

    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        rows = [
            row
            for named, row in self.subjects
            if named == encode_value(subject)
            and contract in ("", row.event.contract)
            and (not field or field in row.fields)
        ]
        return self.page(rows, span)

    def account_history(self, address: str, span: Span = WHOLE) -> Page[AccountEntry]:
        return self.page([row for sender, row in self.accounts if sender == address], span)

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome:
        return self.outcomes[wanted]

    def page(self, rows: list[R], span: Span) -> Page[R]:
        left = [row for row in rows if row.height >= span.from_height]
        left = [row for row in left if encode_cursor(row.height, row.index) > span.after]
        shown = tuple(left[:PAGE])
        cursor = encode_cursor(shown[-1].height, shown[-1].index) if shown else span.after
        return Page(shown, cursor, len(left) <= PAGE, 0, self.chain.height)

    def story(self, grant_id: str = "g1") -> Story:
        return grant_story(self, grant_id, lambda party: [account(party)])


def told(story: Story) -> list[str]:
    """Each step in one word or two: a refused one with the code of its refusal."""
    return [" ".join((step.act, step.refusal.partition(":")[0])).strip() for step in story.steps]


RUN = [
    "grant.GrantRequested",
    "grant.GrantInReview",
    "grant.GrantDecided",
    "grant.Granted",
    "grant.GrantUsed",
    "task.TaskCreated",
    *["task.TaskAccepted"] * 3,
    "task.TaskReady",
]


def test_a_grant_that_is_revoked_in_flight_is_told_from_request_to_the_refused_result() -> None:
    business = Recorded()
    business.running()
    business.report("health")
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    for supplier in ("social", "civil"):
        business.refused(supplier, "task", "report", *result(supplier))
    business.refused("opco", "task", "create", *business.order("t2"))
    story = business.story()
    assert told(story) == [
        *RUN,
        "task.TaskReported",
        "grant.Revoked",
        "task.TaskCancelled",
        "task.report task.status",
        "task.report task.status",
        "task.create grant.revoked",
    ]
    refused = [step for step in story.steps if step.refusal]
    assert [step.fields for step in refused] == [
        {"party_id": "social"},
        {"party_id": "civil"},
        {"party_id": "opco"},
    ]
    assert [step.subject for step in story.steps[-3:]] == ["t1", "t1", "g1"]
    heights = [step.height for step in story.steps]
    assert heights == sorted(heights)


def test_a_delivery_that_a_revocation_met_is_told_as_refused() -> None:
    business = Recorded()
    business.offered()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    business.refused("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.refused("opco", "delivery", "offer", "v2", "p1", *OFFER)
    business.do("opco", "delivery", "withdraw", "v1", "the grant is gone")
    business.refused("opco", "delivery", "withdraw", "v1", "twice")
    assert told(business.story())[len(RUN) :] == [
        *["task.TaskReported"] * 3,
        "task.TaskFinished",
        "product.ProductRegistered",
        "product.ProductAssessed",
        "delivery.DeliveryOffered",
        "grant.Revoked",
        "delivery.accept grant.revoked",
        "delivery.offer grant.revoked",
        "delivery.DeliveryWithdrawn",
        "delivery.withdraw delivery.status",
    ]


def test_a_suspension_and_its_end_are_told_in_their_place() -> None:
    business = Recorded()
    business.running()
    business.do("bureau", "incident", "open", "i1", "Leak", "development", "critical", "opco", [])
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.refused("health", "task", "report", *result("health"))
    business.do("bureau", "incident", "lift", "i1", 1, "it was none")
    business.report("health")
    assert told(business.story())[len(RUN) :] == [
        "grant.GrantSuspended",
        "task.report grant.on_hold",
        "grant.GrantResumed",
        "task.TaskReported",
    ]


def test_an_expired_grant_is_told_with_what_came_too_late() -> None:
    business = Recorded()
    business.offered()
    business.pass_time(24 * HOUR_MS)
    business.refused("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    assert told(business.story())[-1] == "delivery.accept grant.expired"


def test_what_was_refused_for_another_grant_is_not_told() -> None:
    business = Recorded()
    business.running()
    business.authorize("g2")
    business.do("opco", "task", "create", *business.order("t2", "g2"))
    business.do("bureau", "grant", "revoke", "g2", "misuse")
    business.refused("health", "task", "accept", *acceptance("health", "t2"))
    business.act("opco", "task", "create", 7)
    business.act("health", "task", "report")
    assert told(business.story()) == RUN
    assert told(business.story("g2"))[-1] == "task.accept task.status"


def test_in_one_block_the_order_is_that_of_the_transactions() -> None:
    business = Recorded()
    business.running()
    calls: list[tuple[str, str, str, list[Value]]] = [
        ("health", "task", "report", result("health")),
        ("bureau", "grant", "revoke", ["g1", "misuse"]),
        ("social", "task", "report", result("social")),
    ]
    receipts = business.chain.block(
        [(account(who), contract, method, args) for who, contract, method, args in calls]
    )
    assert [receipt.status == Code.ok for receipt in receipts] == [True, True, False]
    for index, (call, receipt) in enumerate(zip(calls, receipts, strict=True)):
        business.keep(*call, receipt, index=index)
    assert told(business.story())[len(RUN) :] == [
        "task.TaskReported",
        "grant.Revoked",
        "task.TaskCancelled",
        "task.report task.status",
    ]


def test_of_many_uses_the_newest_are_followed_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("client.grant_story.TASKS_MAX", 1)
    business = Recorded()
    business.running()
    business.do("opco", "task", "create", *business.order("t2"))
    story = business.story()
    assert story.left_out == 1
    assert "task.TaskAccepted" not in told(story), "t1 was not followed"


def test_who_sends_much_does_not_hide_in_it_what_it_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    business = Recorded()
    business.finished()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    for number in range(8):
        business.do("opco", "grant", "request", f"n{number}", *business.grant_terms())
    business.refused("opco", "task", "create", *business.order("t2"))
    story = business.story()
    assert story.busy == () and "task.create grant.revoked" in told(story)
    monkeypatch.setattr("client.grant_story.ROWS_MAX", 6)
    story = business.story()
    assert "task.create grant.revoked" not in told(story)
    assert story.busy == (account("opco"),)


def test_a_grant_that_nobody_issued_has_no_story() -> None:
    business = Recorded()
    business.granted()
    assert business.story("g9").steps == ()


class Endless(Recorded):
    """A node whose history of a subject never comes to an end."""

    asked = 0

    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        self.asked += 1
        page = super().subject_history(subject, span, contract=contract, field=field)
        return replace(page, is_complete=False)


def test_a_node_that_never_comes_to_an_end_is_not_followed_for_ever() -> None:
    business = Endless()
    business.granted()
    with pytest.raises(Refused, match="ask another node"):
        business.story()
    assert business.asked == PAGES_MAX
