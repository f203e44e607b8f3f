"""Rules and plans: versions that hold from a height on, and limits that checks judge by."""

from __future__ import annotations

import pytest

from contracts.system.rules import CHECKS, KINDS, STAGES
from contracts.vm.testing import account
from ledger.values import Value
from tests.business import STRANGER, Business, changed, digest

LIMITS: list[Value] = [["delivery_unanswered", 48, "warning"]]


def text(rule_id: str = "r1", content: str = "text", **words: Value) -> list[Value]:
    """The arguments of rules.draft; those named in `words` differ."""
    plain: dict[str, Value] = {
        "rule_id": rule_id,
        "kind": "monitoring",
        "stage": "delivery",
        "title": "Monitoring of deliveries",
        "digest": digest(content),
        "location": "https://opco.example/plans",
        "limits": [],
    }
    return list({**plain, **words}.values())


def enacted(business: Business, rule_id: str = "r1", *, ahead: int = 1, **words: Value) -> int:
    """Drafts a version and puts it in force so many heights after the next block; its height."""
    business.do("opco", "rules", "draft", *text(rule_id, "text", **words))
    number = business.ask_record("opco", "rules", "show", rule_id)["versions"]
    height = business.chain.height + 1 + ahead
    business.do("bureau", "rules", "enact", rule_id, number, digest("text"), height)
    return height


def status(business: Business, number: int | None = None) -> Value:
    if number is None:
        return business.ask_record("health", "rules", "show", "r1")["status"]
    return business.ask_record("health", "rules", "version", "r1", number)["status"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "rules.id"),
        (0, "R", "rules.id"),
        (1, "law", "rules.kind"),
        (2, "use", "rules.stage"),
        (3, "", "rules.title"),
        (3, "t" * 129, "rules.title"),
        (4, b"", "rules.digest"),
        (5, "l" * 513, "rules.location"),
        (6, [["no_such", 1, "notice"]], "rules.check"),
        (6, [["quota_used", 50, "notice"]], "rules.check"),  # of another stage
        (6, [["delivery_unanswered", 0, "notice"]], "rules.limit"),
        (6, [["delivery_unanswered", 8761, "notice"]], "rules.limit"),
        (6, [["no_diligence", 2, "notice"]], "rules.limit"),
        (6, [["no_diligence", 1, "grave"]], "rules.severity"),
        (6, [["no_diligence", 1, "notice"]] * 2, "rules.limits"),
        (6, [["no_diligence", 1, "notice"]] * 9, "rules.limits"),
    ],
)
def test_a_malformed_text_is_not_drafted(position: int, value: Value, code: str) -> None:
    draft = changed(text(), position, value)
    assert Business().refused("opco", "rules", "draft", *draft) == code


def test_only_a_monitoring_plan_sets_limits() -> None:
    rule = text(kind="rule", limits=LIMITS)
    assert Business().refused("bureau", "rules", "draft", *rule) == "rules.limits"


@pytest.mark.parametrize(("kind", "role", "first"), KINDS)
def test_each_kind_has_its_author_and_begins_with_its_stage(
    kind: str, role: str, first: int
) -> None:
    business = Business()
    author, other = ("bureau", "opco") if role == "manager" else ("opco", "bureau")
    for position, stage in enumerate(STAGES):
        draft = text(f"{kind}-{stage}", kind=kind, stage=stage)
        if position < first:
            assert business.refused(author, "rules", "draft", *draft) == "rules.stage"
        else:
            assert business.refused(other, "rules", "draft", *draft) == "rules.role"
            business.do(author, "rules", "draft", *draft)


def test_a_version_goes_from_draft_to_superseded() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    assert status(business) == status(business, 1) == "draft"
    height = business.chain.height + 5
    business.do("bureau", "rules", "enact", "r1", 1, digest("text"), height)
    assert status(business) == status(business, 1) == "announced"
    business.chain.advance(height=height - business.chain.height)
    assert status(business) == status(business, 1) == "effective"
    business.do("opco", "rules", "draft", *text(title="Second"))
    assert (status(business), status(business, 2)) == ("effective", "draft")
    second = business.chain.height + 5
    business.do("bureau", "rules", "enact", "r1", 2, digest("text"), second)
    assert [status(business, number) for number in (1, 2)] == ["effective", "announced"]
    business.chain.advance(height=second - business.chain.height)
    assert [status(business, number) for number in (1, 2)] == ["superseded", "effective"]
    held = [business.ask("bank", "rules", "in_force", "r1", at) for at in (height - 1, height)]
    assert held == [0, 1]
    assert [business.ask("bank", "rules", "in_force", "r1", at) for at in (second - 1, second)] == [
        1,
        2,
    ]
    later = business.chain.height + 1
    assert business.denied("bank", "rules", "in_force", "r1", later) == "rules.height"


def test_a_withdrawn_draft_is_never_in_force_and_the_next_one_may_be() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    business.do("opco", "rules", "withdraw", "r1")
    assert status(business) == status(business, 1) == "withdrawn"
    enact: list[Value] = ["r1", 1, digest("text"), business.chain.height + 9]
    assert business.refused("bureau", "rules", "enact", *enact) == "rules.status"
    assert business.refused("opco", "rules", "withdraw", "r1") == "rules.status"
    business.chain.advance(height=enacted(business) - business.chain.height)
    assert [status(business, number) for number in (1, 2)] == ["withdrawn", "effective"]
    assert business.ask("opco", "rules", "in_force", "r1", business.chain.height) == 2


def test_drafts_that_were_withdrawn_do_not_hide_what_held_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    business = Business()
    height = enacted(business)
    for _ in range(100):
        business.do("opco", "rules", "draft", *text())
        business.do("opco", "rules", "withdraw", "r1")
    business.chain.advance(height=enacted(business) - business.chain.height)
    monkeypatch.setattr("contracts.vm.testing.VIEW_GAS_MAX", 100_000)
    assert business.ask("bank", "rules", "in_force", "r1", height) == 1


def test_a_manager_enacts_the_very_text_that_it_read() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    height = business.chain.height + 9
    for number, content, code in ((1, "other", "rules.digest"), (2, "text", "rules.number")):
        enact: list[Value] = ["r1", number, digest(content), height]
        assert business.refused("bureau", "rules", "enact", *enact) == code


def test_who_is_monitored_does_not_enact_its_own_plan_and_a_manager_enacts_its_own_rule() -> None:
    business = Business()
    roles: list[Value] = ["manager", "operator"]
    business.do("bureau", "parties", "register", "both", "Both", roles, [account("both")])
    lax: list[Value] = [["delivery_unanswered", 8760, "notice"]]
    business.do("both", "rules", "draft", *text("r1", limits=lax))
    words: list[Value] = ["r1", 1, digest("text"), business.chain.height + 9]
    assert business.refused("both", "rules", "enact", *words) == "rules.self"
    business.do("bureau", "rules", "enact", *words)
    business.do("both", "rules", "draft", *text("r2", kind="rule"))
    business.do("both", "rules", "enact", *changed(words, 0, "r2"))


def test_a_version_begins_at_a_height_to_come_and_one_at_a_time() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    for height in (0, business.chain.height + 1, business.chain.height + 10**8 + 99):
        enact: list[Value] = ["r1", 1, digest("text"), height]
        assert business.refused("bureau", "rules", "enact", *enact) == "rules.from_height"
    again = business.refused("opco", "rules", "draft", *text())
    assert again == "rules.draft", "one draft waits at a time"
    business.do("bureau", "rules", "enact", "r1", 1, digest("text"), business.chain.height + 50)
    business.do("opco", "rules", "draft", *text())
    enact = ["r1", 2, digest("text"), business.chain.height + 60]
    assert business.refused("bureau", "rules", "enact", *enact) == "rules.announced"


def test_a_text_keeps_its_party_its_kind_and_its_stage() -> None:
    business = Business()
    enacted(business)
    assert business.refused("rival", "rules", "draft", *text()) == "rules.owner"
    assert business.refused("opco", "rules", "draft", *text(kind="warning")) == "rules.kind"
    assert business.refused("opco", "rules", "draft", *text(stage="development")) == "rules.kind"
    assert business.refused("rival", "rules", "withdraw", "r1") == "rules.owner"


def test_a_revoked_text_ends_at_once_and_for_good() -> None:
    business = Business()
    business.chain.advance(height=enacted(business) - business.chain.height)
    enacted(business, ahead=50)
    business.do("opco", "rules", "draft", *text())
    business.do("bureau", "rules", "revoke", "r1", "flawed")
    end = business.chain.height
    assert [status(business, number) for number in (1, 2, 3)] == ["revoked", "revoked", "withdrawn"]
    business.chain.advance(height=100)
    assert status(business) == "revoked"
    ages = [end - 1, end, business.chain.height]
    assert [business.ask("bank", "rules", "in_force", "r1", at) for at in ages] == [1, 0, 0]
    assert business.refused("opco", "rules", "draft", *text()) == "rules.revoked"
    assert business.refused("bureau", "rules", "revoke", "r1", "again") == "rules.revoked"


def test_what_is_not_in_force_cannot_be_revoked() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    assert business.refused("bureau", "rules", "revoke", "r1", "why") == "rules.status"
    assert business.refused("bureau", "rules", "revoke", "r2", "why") == "rules.unknown"
    enacted_later = business.chain.height + 9
    business.do("bureau", "rules", "enact", "r1", 1, digest("text"), enacted_later)
    for reason in ("", "r" * 513):
        assert business.refused("bureau", "rules", "revoke", "r1", reason) == "rules.reason"


def test_a_stage_has_one_monitoring_plan_at_a_time() -> None:
    business = Business()
    enacted(business)
    business.do("opco", "rules", "draft", *text("r2"))
    enact: list[Value] = ["r2", 1, digest("text"), business.chain.height + 9]
    assert business.refused("bureau", "rules", "enact", *enact) == "rules.monitored"
    business.do("bureau", "rules", "revoke", "r1", "replaced")
    business.do("bureau", "rules", "enact", *changed(enact, 3, business.chain.height + 9))


def limit_of(business: Business, check: str) -> list[Value]:
    """Anybody may know by what is judged."""
    found = business.ask_record(STRANGER, "rules", "limit_of", check)
    return [found[name] for name in ("limit", "severity", "rule_id")]


def test_limits_are_those_of_the_plan_in_force_and_defaults_before_and_after() -> None:
    business = Business()
    check = "delivery_unanswered"
    height = enacted(business, ahead=5, limits=LIMITS)
    assert limit_of(business, check) == [72, "notice", ""], "announced is not in force"
    business.chain.advance(height=height - business.chain.height)
    assert limit_of(business, check) == [48, "warning", "r1"]
    assert limit_of(business, "no_diligence") == [1, "critical", ""], "unnamed keeps its default"
    height = enacted(business, ahead=5, limits=[["delivery_unanswered", 24, "critical"]])
    assert limit_of(business, check) == [48, "warning", "r1"], "the second is not in force yet"
    business.chain.advance(height=height - business.chain.height)
    assert limit_of(business, check) == [24, "critical", "r1"]
    business.do("bureau", "rules", "revoke", "r1", "flawed")
    assert limit_of(business, check) == [72, "notice", ""]
    assert business.denied(STRANGER, "rules", "limit_of", "no_such") == "rules.check"


def test_all_checks_are_listed_with_their_limits() -> None:
    listed = Business().ask(STRANGER, "rules", "checks")
    assert isinstance(listed, list)
    assert [row["check"] for row in listed if isinstance(row, dict)] == [
        name for name, *_ in CHECKS
    ]


def test_texts_are_listed_by_stage() -> None:
    business = Business()
    for number, stage in enumerate((*STAGES, "delivery")):
        business.do("bureau", "rules", "draft", *text(f"r{number}", kind="rule", stage=stage))
    found = business.ask("bank", "rules", "list_by_stage", "delivery", 0, 10)
    assert isinstance(found, list)
    assert [row["id"] for row in found if isinstance(row, dict)] == ["r3", "r4"]
    assert business.denied("bank", "rules", "list_by_stage", "use", 0, 10) == "rules.stage"
    assert business.denied("bank", "rules", "list", 0, 101) == "rules.page"
    assert business.denied("bank", "rules", "version", "r1", 2) == "rules.number"


def test_a_draft_does_not_change_the_title_of_the_text_in_force() -> None:
    business = Business()
    enacted(business, ahead=1)
    held = business.ask_record("bank", "rules", "show", "r1")["title"]
    again = text(title="Everything is allowed")
    business.do("opco", "rules", "draft", *again)
    assert business.ask_record("bank", "rules", "show", "r1")["title"] == held
    assert business.ask_record("bank", "rules", "version", "r1", 2)["title"] == again[3]
    business.do("opco", "rules", "withdraw", "r1")
    assert business.ask_record("bank", "rules", "show", "r1")["title"] == held
    business.do("opco", "rules", "draft", *again)
    height = business.chain.height + 2
    business.do("bureau", "rules", "enact", "r1", 3, again[4], height)
    assert business.ask_record("bank", "rules", "show", "r1")["title"] == again[3]
