"""Assessments of de-identification: how far products lead back to persons (clause 6.4b).

A product that was made of data about persons is approved only when an assessment of
the very result that it registers is on record, and none that stands says more than the limits in
force allow (contract `rules`: `identity_risk` for rows, `small_group` for aggregates). Which data
sets are about persons their suppliers say, or a manager; those of the highest grade are taken for
it until a manager says otherwise. An operator or a manager may ask for an assessment besides.

Levels (GB/T 42460): 1 direct identifiers can be read; 2 none, but the risk of a row is above the
threshold of who assessed; 3 none, and the risk is within it; 4 aggregates alone, and the smallest
group is within it. The risk of a row is 1 / k, k being the smallest class of rows that are alike
in what others may know, or the smallest group. Shares are millionths, rounded up.

Whoever assesses again supersedes what it said before, and only that: the gravest word of all that
have looked counts, until a manager who is no side of the product dismisses it.

States of an assessment: standing -> superseded | set_aside.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

WHOLE_PPM = 10**6
IDENTIFIED = 1  # levels
LINKABLE = 2
ACCEPTABLE = 3
AGGREGATED = 4
GRADE_OF_PERSONS = 4  # of the catalogue: taken for data about persons unless a manager denies it
GROUP_MAX = 10**12  # persons
METHODS_MAX = 8
ASSESSORS_MAX = 16  # parties whose word on one product stands at a time
NOTE_MAX = 1024  # characters
DIGEST_SIZE = 32  # bytes: SM3
DATASETS_MAX = 50  # looked at in one view
PAGE_MAX = 100  # assessments in one answer


@record
class Classification:
    """Whether a data set is about persons, and who said so; "" if nobody did."""

    dataset_id: str
    is_personal: bool
    party: str = ""
    note: str = ""
    said_ms: int = 0


@record
class Assessment:
    """What one party found in the result that a product registers. `digest` is that result's."""

    id: str
    product_id: str
    assessor: str
    digest: bytes
    methods: list[str]  # by which it became what it is, such as generalize or statistics
    level: int
    k: int
    risk_ppm: int  # of the row that is easiest to lead back
    mean_ppm: int  # of all rows
    threshold_ppm: int  # that the assessor takes for acceptable
    report: bytes  # SM3 of the report
    note: str
    assessed_ms: int
    status: str = "standing"
    manager: str = ""  # party that dismissed it
    reason: str = ""


@record
class Standing:
    """What all that stand say of a product; `refusal` is why it is not fit, or ""."""

    product_id: str
    is_needed: bool
    because: str  # data set about persons, or "asked"; "" if none is needed
    assessments: list[str]  # that stand
    level: int  # the lowest; 0: there is none
    risk_ppm: int  # the highest of rows
    group: int  # the smallest of aggregates; 0: there is none
    refusal: str


@record
class Gravest:
    """The gravest of what stands, for other contracts: the level of rows and aggregates together,
    the highest risk of rows, the smallest group."""

    level: int
    risk_ppm: int
    group: int


@record
class Particulars:
    """What the contract `product` tells of a product."""

    status: str
    operator: str
    consumer: str
    task_id: str
    result_digest: bytes


@record
class Outcome:
    """What the contract `task` tells of a task."""

    status: str
    operator: str
    grant_id: str
    consumer: str
    created_ms: int
    participants: list[tuple[str, str]]


@record
class Limit:
    """By what a check judges, as the contract `rules` tells it."""

    check: str
    stage: str
    limit: int
    severity: str
    rule_id: str


classifications = Map(str, Classification)
asked_by = Map(str, str)  # product -> who asked for an assessment besides
assessments = Map(str, Assessment)
assessment_by_number = Map(int, str)
assessment_count = Var(int)
standing_of = Map(str, list[str])  # product -> assessments that stand, one of each assessor


@call
def classify(dataset_id: str, is_personal: bool, note: str) -> None:
    """Its supplier or a manager says that a data set is about persons; that it is not, a manager
    alone (6.4b)."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    owner = view_contract("catalog", "owner_of", dataset_id, returns=str)
    require(owner != "", "deidentification.dataset: no data set has this id; see `catalog list`")
    is_manager = party != "" and has_role(party, "manager")
    require(
        is_manager or (party != "" and party == owner),
        "deidentification.classify: sign for its supplier or an active manager",
    )
    require(
        is_personal or (is_manager and party != owner),
        "deidentification.deny: that it is not about persons another manager has to say",
    )
    check_note(note)
    require(is_personal or note != "", "deidentification.note: say why it is not about persons")
    classifications[dataset_id] = Classification(dataset_id, is_personal, party, note, ctx.time_ms)
    emit("DatasetClassified", dataset_id=dataset_id, party_id=party, is_personal=is_personal)


@call
def ask(product_id: str) -> None:
    """Its operator or a manager has a product assessed, whatever data it was made of (6.4b)."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    product = particulars(product_id)
    require(
        party != "" and (party == product.operator or has_role(party, "manager")),
        "deidentification.ask: sign for its operator or an active manager",
    )
    require(
        product.status == "registered",
        "deidentification.status: it has been decided on already; assess it without asking",
    )
    require(product_id not in asked_by, "deidentification.asked: it was asked for already")
    asked_by[product_id] = party
    emit("AssessmentAsked", product_id=product_id, party_id=party)


@call
def assess(
    assessment_id: str,
    product_id: str,
    digest: bytes,
    methods: list[str],
    level: int,
    k: int,
    mean_ppm: int,
    threshold_ppm: int,
    report: bytes,
    note: str,
) -> None:
    """A party that has the result puts on record how far it leads back to persons (6.4b)."""
    product = particulars(product_id)
    assessor = require_assessor(product)
    require(is_name(assessment_id), "deidentification.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(assessment_id not in assessments, "deidentification.exists: choose another id")
    require(
        product.status != "refused",
        "deidentification.status: it was refused; register another product",
    )
    require(
        digest == product.result_digest,
        "deidentification.digest: measure the very result that the product registers",
    )
    require(len(report) == DIGEST_SIZE, "deidentification.report: use 32 bytes of SM3")
    check_note(note)
    check_methods(methods)
    check_figures(level, k, mean_ppm, threshold_ppm)
    stand = standing_of.get(product_id, [])
    others = [one for one in stand if assessments[one].assessor != assessor]
    require(
        len(others) < ASSESSORS_MAX,
        "deidentification.assessors: 16 parties have assessed it; a manager dismisses some first",
    )
    for one in stand:
        if one not in others:
            assessments[one] = replace(assessments[one], status="superseded")
    new = Assessment(
        id=assessment_id,
        product_id=product_id,
        assessor=assessor,
        digest=digest,
        methods=methods,
        level=level,
        k=k,
        risk_ppm=risk_of(level, k),
        mean_ppm=mean_ppm,
        threshold_ppm=threshold_ppm,
        report=report,
        note=note,
        assessed_ms=ctx.time_ms,
    )
    assessments[assessment_id] = new
    number = assessment_count.get(0)
    assessment_by_number[number] = assessment_id
    assessment_count.set(number + 1)
    others.append(assessment_id)
    standing_of[product_id] = others
    emit(
        "DeidentificationAssessed",
        assessment_id=assessment_id,
        product_id=product_id,
        party_id=assessor,
        level=level,
        k=k,
        risk_ppm=new.risk_ppm,
        report=report,
    )


@call
def dismiss(assessment_id: str, reason: str) -> None:
    """A manager who neither made it nor is a side of the product sets an assessment aside."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "deidentification.role: sign with an account of an active manager")
    found = known(assessment_id)
    product = particulars(found.product_id)
    require(
        manager not in (found.assessor, product.operator, product.consumer),
        "deidentification.self: another manager sets it aside for you",
    )
    require(found.status == "standing", "deidentification.standing: it does not stand any more")
    require(
        1 <= len(reason) <= NOTE_MAX,
        "deidentification.reason: give a reason of 1 to 1024 characters",
    )
    assessments[assessment_id] = replace(found, status="set_aside", manager=manager, reason=reason)
    stand = standing_of[found.product_id]
    standing_of[found.product_id] = [one for one in stand if one != assessment_id]
    emit(
        "AssessmentDismissed",
        assessment_id=assessment_id,
        product_id=found.product_id,
        party_id=manager,
        reason=reason,
    )


@view
def show(assessment_id: str) -> Assessment:
    """One assessment, whole."""
    require_reader()
    return known(assessment_id)


@view
def list_(offset: int, limit: int) -> list[Assessment]:
    """Assessments in order of entry."""
    require_reader()
    require(
        offset >= 0 and 1 <= limit <= PAGE_MAX,
        "deidentification.page: ask for 1 to 100 from 0 up",
    )
    end = min(offset + limit, assessment_count.get(0))
    return [assessments[assessment_by_number[number]] for number in range(offset, end)]


@view
def standing(product_id: str) -> Standing:
    """Whether a product needs an assessment, what stands, and whether it is fit by that."""
    require_reader()
    product = particulars(product_id)
    because = cause_of(product_id, product.task_id)
    found = gravest_of(product_id)
    return Standing(
        product_id=product_id,
        is_needed=because != "",
        because=because,
        assessments=standing_of.get(product_id, []),
        level=found.level,
        risk_ppm=found.risk_ppm,
        group=found.group,
        refusal=refusal_of(found, because),
    )


@view
def classified(datasets: list[str]) -> list[Classification]:
    """What up to 50 data sets are taken for; without a party nobody said so."""
    require_reader()
    require(len(datasets) <= DATASETS_MAX, "deidentification.datasets: ask about up to 50")
    return [
        classifications.get(dataset_id, Classification(dataset_id, is_about_persons(dataset_id)))
        for dataset_id in datasets
    ]


@view
def ensure_fit(product_id: str, task_id: str) -> bool:
    """True, or a refusal that says what stands in the way of an approval; for `product`."""
    refusal = refusal_of(gravest_of(product_id), cause_of(product_id, task_id))
    require(
        refusal != "missing",
        "deidentification.missing: its data is about persons; have the result assessed first",
    )
    require(
        refusal != "level",
        "deidentification.level: an assessment finds it below level 3; see `standing`",
    )
    require(
        refusal != "risk",
        "deidentification.risk: above the limit `identity_risk` in force; generalize more",
    )
    require(
        refusal != "group",
        "deidentification.group: below the limit `small_group` in force; leave small groups out",
    )
    return True


@view
def gravest(product_id: str) -> Gravest:
    """The gravest of what stands about a product; for the contract `risk`."""
    return gravest_of(product_id)


def has_role(party: str, role: str) -> bool:
    return view_contract("parties", "party_has_role", party, role, returns=bool)


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "deidentification.reader: sign with an account of an active party")


def require_assessor(product: Particulars) -> str:
    """Whoever may have the result, or answers for the data in it: its sides, the suppliers of its
    data, who vets for them, and managers."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    is_known = party != "" and party in (product.operator, product.consumer)
    for role in ("manager", "tech_provider", "developer"):
        is_known = is_known or (party != "" and has_role(party, role))
    if party != "" and not is_known:
        for supplier, _dataset in participants_of(product.task_id):
            is_known = is_known or supplier == party
    require(
        is_known,
        "deidentification.assessor: sign for a side of the product, a supplier of its data, a "
        "tech provider, a developer or a manager",
    )
    return party


def particulars(product_id: str) -> Particulars:
    return view_contract("product", "particulars", product_id, returns=Particulars)


def participants_of(task_id: str) -> list[tuple[str, str]]:
    return view_contract("task", "outcome", task_id, returns=Outcome).participants


def known(assessment_id: str) -> Assessment:
    found = assessments.get(assessment_id)
    if found is None:
        fail("deidentification.unknown: no assessment has this id; look for it with `list`")
    return found


def check_note(note: str) -> None:
    require(len(note) <= NOTE_MAX, "deidentification.note: use up to 1024 characters")


def check_methods(methods: list[str]) -> None:
    require(1 <= len(methods) <= METHODS_MAX, "deidentification.methods: name 1 to 8 methods")
    for at, method in enumerate(methods):
        require(
            is_name(method) and method not in methods[:at],
            "deidentification.method: name each once, such as generalize, pseudonym or statistics",
        )


def check_figures(level: int, k: int, mean_ppm: int, threshold_ppm: int) -> None:
    require(IDENTIFIED <= level <= AGGREGATED, "deidentification.grade: use a level from 1 to 4")
    require(1 <= k <= GROUP_MAX, "deidentification.k: use 1 to 10**12 rows or persons")
    require(
        1 <= threshold_ppm <= WHOLE_PPM, "deidentification.threshold: use 1 to 1000000 millionths"
    )
    risk = risk_of(level, k)
    require(1 <= mean_ppm <= risk, "deidentification.mean: use 1 up to the risk of the worst row")
    require(
        level == IDENTIFIED or (level == LINKABLE) == (risk > threshold_ppm),
        "deidentification.contradiction: level 2 is above the threshold, 3 and 4 are within it",
    )


def risk_of(level: int, k: int) -> int:
    """Of the row that is easiest to lead back; who is named needs no leading back."""
    return WHOLE_PPM if level == IDENTIFIED else (WHOLE_PPM + k - 1) // k


def is_about_persons(dataset_id: str) -> bool:
    said = classifications.get(dataset_id)
    if said is not None:
        return said.is_personal
    grade = view_contract("catalog", "grade_of", dataset_id, returns=int)
    return grade >= GRADE_OF_PERSONS


def cause_of(product_id: str, task_id: str) -> str:
    """Why a product needs an assessment; "" if it needs none."""
    for _supplier, dataset_id in participants_of(task_id):
        if dataset_id != "" and is_about_persons(dataset_id):
            return dataset_id
    return "asked" if product_id in asked_by else ""


def gravest_of(product_id: str) -> Gravest:
    level, risk, group = 0, 0, 0
    for one in standing_of.get(product_id, []):
        found = assessments[one]
        level = found.level if level == 0 else min(level, found.level)
        if found.level == AGGREGATED:
            group = found.k if group == 0 else min(group, found.k)
        else:
            risk = max(risk, found.risk_ppm)
    return Gravest(level, risk, group)


def refusal_of(found: Gravest, because: str) -> str:
    if found.level == 0:
        return "missing" if because != "" else ""
    if found.level < ACCEPTABLE:
        return "level"
    if found.risk_ppm > limit_of("identity_risk"):
        return "risk"
    return "group" if 0 < found.group < limit_of("small_group") else ""


def limit_of(check: str) -> int:
    return view_contract("rules", "limit_of", check, returns=Limit).limit
