"""Assessments of de-identification: which products need one, who makes it, what it stops (6.4b)."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, SUPPLIERS, Business, changed, dataset_of, digest

# The arguments of `assess` after the product: rows in classes of 25 and more.
SAID: list[Value] = [digest("result"), ["generalize"], 3, 25, 20_000, 50_000, digest("r"), "note"]
GROUPS: list[Value] = changed(changed(changed(SAID, 2, 4), 3, 30), 1, ["statistics"])


def said(level: int, k: int, *, mean_ppm: int = 1, threshold_ppm: int = 50_000) -> list[Value]:
    return [digest("result"), ["suppress"], level, k, mean_ppm, threshold_ppm, digest("r"), ""]


def personal() -> Business:
    """A registered product of data about persons."""
    business = Business()
    business.registered()
    business.do("health", "deidentification", "classify", dataset_of("health"), True, "patients")
    return business


def approve(business: Business) -> str:
    return business.refused("bureau", "product", "approve", "p1", True, "fit")


def assess(business: Business, who: str = "opco", name: str = "s1", *, of: list[Value]) -> None:
    business.do(who, "deidentification", "assess", name, "p1", *of)


def standing(business: Business) -> dict[str, Value]:
    return business.ask_record("bureau", "deidentification", "standing", "p1")


# --- what needs an assessment ---------------------------------------------------------------------


def test_no_product_of_data_about_persons_passes_without_an_assessment() -> None:
    business = personal()
    assert approve(business) == "deidentification.missing"
    told = standing(business)
    assert (told["is_needed"], told["because"], told["refusal"]) == (
        True,
        dataset_of("health"),
        "missing",
    )
    assess(business, of=SAID)
    business.do("bureau", "product", "approve", "p1", True, "fit")


def test_a_product_can_be_refused_without_an_assessment() -> None:
    personal().do("bureau", "product", "approve", "p1", False, "nobody looked")


def test_other_products_need_none_unless_somebody_asks() -> None:
    business = Business()
    business.registered()
    assert standing(business)["is_needed"] is False
    for who in ("health", "insurer", "rival", "stranger"):
        assert business.refused(who, "deidentification", "ask", "p1") == "deidentification.ask"
    business.do("opco", "deidentification", "ask", "p1")
    assert business.refused("bureau", "deidentification", "ask", "p1") == "deidentification.asked"
    assert standing(business)["because"] == "asked"
    assert approve(business) == "deidentification.missing"
    assess(business, of=SAID)
    business.do("bureau", "product", "approve", "p1", True, "fit")
    assert business.refused("bureau", "deidentification", "ask", "p1") == "deidentification.status"
    assert business.refused("bureau", "deidentification", "ask", "p9") == "product.unknown"


def test_data_of_the_highest_grade_is_about_persons_until_a_manager_denies_it() -> None:
    business = Business()
    business.registered()
    text: list[Value] = ["Claims", "", ["insurance"], [["age", "integer", ""]], "health", 4, 90]
    business.do("social", "catalog", "describe", dataset_of("social"), *text)
    assert approve(business) == "deidentification.missing"
    deny: list[Value] = [dataset_of("social"), False, "of wards, not of patients"]
    refused = business.refused("social", "deidentification", "classify", *deny)
    assert refused == "deidentification.deny"
    no_reason = business.refused("bureau", "deidentification", "classify", *deny[:2], "")
    assert no_reason == "deidentification.note"
    business.do("bureau", "deidentification", "classify", *deny)
    business.do("bureau", "product", "approve", "p1", True, "fit")


def test_a_data_set_is_classified_by_its_supplier_and_managers_alone() -> None:
    business = Business()
    business.catalogued()
    words: list[Value] = [dataset_of("health"), True, ""]
    for who in ("social", "opco", "insurer", "chipworks", "stranger"):
        refused = business.refused(who, "deidentification", "classify", *words)
        assert refused == "deidentification.classify"
    unknown = business.refused("health", "deidentification", "classify", "x", True, "")
    assert unknown == "deidentification.dataset"
    long = business.refused("health", "deidentification", "classify", *words[:2], "x" * 1025)
    assert long == "deidentification.note"
    business.do("health", "deidentification", "classify", *words)
    asked: list[Value] = [[dataset_of("health"), dataset_of("social")]]
    told = business.ask("insurer", "deidentification", "classified", *asked)
    assert isinstance(told, list)
    assert [(one["is_personal"], one["party"]) for one in told if isinstance(one, dict)] == [
        (True, "health"),
        (False, ""),
    ]
    many: list[Value] = ["x"] * 51
    denied = business.denied("insurer", "deidentification", "classified", many)
    assert denied == "deidentification.datasets"


# --- who assesses, and what -----------------------------------------------------------------------


def test_whoever_may_have_the_result_or_answers_for_its_data_assesses_it() -> None:
    business = personal()
    for who in ("rival", "bank", "archive", "stranger"):
        refused = business.refused(who, "deidentification", "assess", "s1", "p1", *SAID)
        assert refused == "deidentification.assessor", who
    able = ("opco", "insurer", *SUPPLIERS, "bureau", "chipworks", "devhouse")
    for number, who in enumerate(able):
        assess(business, who, f"s{number}", of=SAID)
    told = standing(business)["assessments"]
    assert told == [f"s{number}" for number in range(len(able))]


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (0, digest("another result"), "digest"),
        (1, [], "methods"),
        (1, ["x"] * 2, "method"),
        (1, ["X"], "method"),
        (1, [f"m{n}" for n in range(9)], "methods"),
        (2, 0, "grade"),
        (2, 5, "grade"),
        (2, 2, "contradiction"),
        (3, 0, "k"),
        (3, 10**12 + 1, "k"),
        (3, 19, "contradiction"),
        (4, 0, "mean"),
        (4, 40_001, "mean"),
        (5, 0, "threshold"),
        (5, 10**6 + 1, "threshold"),
        (5, 39_999, "contradiction"),
        (6, b"", "report"),
        (7, "x" * 1025, "note"),
    ],
)
def test_figures_that_cannot_be_are_refused(at: int, value: Value, code: str) -> None:
    business = personal()
    words = changed(SAID, at, value)
    refused = business.refused("opco", "deidentification", "assess", "s1", "p1", *words)
    assert refused == f"deidentification.{code}"


def test_an_id_is_used_once_and_a_refused_product_is_assessed_no_more() -> None:
    business = personal()
    bad = business.refused("opco", "deidentification", "assess", "S", "p1", *SAID)
    assert bad == "deidentification.id"
    unknown = business.refused("opco", "deidentification", "assess", "s1", "p9", *SAID)
    assert unknown == "product.unknown"
    assess(business, of=SAID)
    again = business.refused("opco", "deidentification", "assess", "s1", "p1", *SAID)
    assert again == "deidentification.exists"
    business.do("bureau", "product", "approve", "p1", False, "after all not")
    late = business.refused("opco", "deidentification", "assess", "s2", "p1", *SAID)
    assert late == "deidentification.status"


# --- what it stops --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (said(1, 25), "level"),
        (said(2, 19), "level"),
        (said(3, 19, threshold_ppm=60_000), "risk"),
        (said(4, 4, threshold_ppm=250_000), "group"),
        (said(3, 20), ""),
        (said(4, 5, threshold_ppm=200_000), ""),
        (GROUPS, ""),
    ],
)
def test_an_approval_goes_by_the_limits_in_force(words: list[Value], code: str) -> None:
    business = personal()
    assess(business, of=words)
    assert standing(business)["refusal"] == code
    if code:
        assert approve(business) == f"deidentification.{code}"
    else:
        business.do("bureau", "product", "approve", "p1", True, "fit")


def test_what_is_found_to_name_persons_does_not_pass_though_nobody_asked() -> None:
    business = Business()
    business.registered()
    assess(business, "insurer", of=said(1, 1))
    assert approve(business) == "deidentification.level"


def test_a_plan_in_force_sets_the_limits() -> None:
    business = personal()
    assess(business, of=said(3, 25))
    limits: list[Value] = [["identity_risk", 30_000, "critical"], ["small_group", 50, "warning"]]
    text: list[Value] = ["monitoring", "development", "T", digest("plan"), "", limits]
    business.do("opco", "rules", "draft", "r1", *text)
    business.do("bureau", "rules", "enact", "r1", 1, digest("plan"), business.chain.height + 2)
    business.chain.advance(height=2)
    assert approve(business) == "deidentification.risk"
    assess(business, name="s2", of=GROUPS)
    assert approve(business) == "deidentification.group"
    assess(business, name="s3", of=said(3, 34))
    business.do("bureau", "product", "approve", "p1", True, "fit")


# --- superseded and dismissed ---------------------------------------------------------------------


def test_the_gravest_word_counts_and_who_said_it_corrects_only_itself() -> None:
    business = personal()
    assess(business, "opco", "s1", of=said(3, 30))
    assess(business, "health", "s2", of=said(2, 3))
    assert approve(business) == "deidentification.level"
    assess(business, "opco", "s3", of=said(3, 99))
    assert approve(business) == "deidentification.level"
    first = business.ask_record("bureau", "deidentification", "show", "s1")
    assert first["status"] == "superseded"
    assess(business, "health", "s4", of=said(3, 50))
    assert standing(business)["assessments"] == ["s3", "s4"]
    business.do("bureau", "product", "approve", "p1", True, "fit")


def test_a_manager_who_is_no_side_dismisses_what_is_wrong() -> None:
    business = personal()
    assess(business, "bureau", "s1", of=said(2, 3))
    own = business.refused("bureau", "deidentification", "dismiss", "s1", "wrong file")
    assert own == "deidentification.self"
    for who in ("opco", "health", "insurer", "stranger"):
        refused = business.refused(who, "deidentification", "dismiss", "s1", "wrong file")
        assert refused == "deidentification.role"
    short = business.refused("board", "deidentification", "dismiss", "s1", "")
    assert short == "deidentification.reason"
    unknown = business.refused("board", "deidentification", "dismiss", "s9", "wrong file")
    assert unknown == "deidentification.unknown"
    business.do("board", "deidentification", "dismiss", "s1", "wrong file")
    again = business.refused("board", "deidentification", "dismiss", "s1", "wrong file")
    assert again == "deidentification.standing"
    assert standing(business)["refusal"] == "missing"
    found = business.ask_record("opco", "deidentification", "show", "s1")
    assert (found["status"], found["manager"], found["reason"]) == (
        "set_aside",
        "board",
        "wrong file",
    )


def test_sixteen_parties_have_a_word_at_a_time() -> None:
    business = personal()
    for number in range(16):
        who = f"manager-{number}"
        from contracts.vm.testing import account

        party: list[Value] = [who, who, ["manager"], [account(who)]]
        business.do("bureau", "parties", "register", *party)
        assess(business, who, f"s{number}", of=SAID)
    full = business.refused("opco", "deidentification", "assess", "s16", "p1", *SAID)
    assert full == "deidentification.assessors"
    assess(business, "manager-3", "s16", of=SAID)
    before = business.ask_record("opco", "deidentification", "show", "s3")
    assert before["status"] == "superseded", "its second word takes the place of its first"
    full = business.refused("opco", "deidentification", "assess", "s17", "p1", *SAID)
    assert full == "deidentification.assessors"
    business.do("board", "deidentification", "dismiss", "s16", "it never saw the file")
    assess(business, "opco", "s17", of=SAID)


# --- found worse later ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "words", "measured", "limit"),
    [
        ("identity_risk", said(1, 30), 10**6, 50_000),
        ("identity_risk", said(2, 3), 333_334, 50_000),
        ("identity_risk", said(3, 10, threshold_ppm=100_000), 100_000, 50_000),
        ("small_group", said(4, 2, threshold_ppm=500_000), 2, 5),
    ],
)
def test_what_is_found_worse_after_an_approval_reaches_the_manager(
    check: str, words: list[Value], measured: int, limit: int
) -> None:
    business = personal()
    assess(business, of=SAID)
    business.do("bureau", "product", "approve", "p1", True, "fit")
    for name in ("identity_risk", "small_group"):
        assert business.refused("board", "alert", "check", name, "p1") == "alert.fine"
    assess(business, "insurer", "s2", of=words)
    business.do("board", "alert", "check", check, "p1")
    alert = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (alert["party"], alert["measured"], alert["limit"]) == ("opco", measured, limit)
    assert (alert["stage"], alert["severity"]) == ("development", "critical")
    # Dealt with: the same is quiet for a day, and gone when the word is.
    business.do("bureau", "alert", "close", "alert-1", "withdrawn from use")
    assert business.refused("board", "alert", "check", check, "p1") == "alert.quiet"
    business.do("board", "deidentification", "dismiss", "s2", "of another file")
    business.pass_time(25 * HOUR_MS)
    assert business.refused("board", "alert", "check", check, "p1") == "alert.fine"


def test_assessments_are_listed_in_order() -> None:
    business = personal()
    assess(business, "opco", "s1", of=SAID)
    assess(business, "health", "s2", of=GROUPS)
    listed = business.ask("bank", "deidentification", "list", 0, 10)
    assert isinstance(listed, list)
    assert [one["id"] for one in listed if isinstance(one, dict)] == ["s1", "s2"]
    for page in ([0, 0], [-1, 9], [0, 101]):
        denied = business.denied("bank", "deidentification", "list", *page)
        assert denied == "deidentification.page"
