"""What the drug developer does with its model: commits to it unseen, then judges it at home."""

from __future__ import annotations

from collections.abc import Sequence

from crypto import sm3
from scenarios import papers
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.consortium import DOCUMENTS
from scenarios.drug.data import DRUG, Period
from scenarios.drug.model import (
    Cohort,
    effect_of,
    effect_table,
    fit_joint,
    fit_own,
    judge,
    judgement_table,
    model_document,
    read_model,
)
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told

MODEL_ALGORITHM = "response-model/1"  # what the model would be, if an engine could run it
SURE = 2.0  # standard errors: further off than this the model is said to miss


def commit(script: Script, cast: Cast, own: Sequence[Period]) -> None:
    """The model is fitted at home, and its salted digest goes on record before any count."""
    developer = cast.consumer
    patients = len({one.patient for one in own})
    content = model_document(fit_own(own))
    digest = developer.keep(_name(cast), content)
    script.local(
        developer,
        Told(
            "fits its model to its own patients, and shows it to nobody",
            "算法模型",
            (("patients", f"{patients}, of no hospital"), ("salted SM3", f"{digest.hex()[:12]}…")),
        ),
    )
    script.call(
        developer,
        Told("commits to the model before the hospitals compute", "模型承诺"),
        "evidence.record",
        _evidence(cast),
        "development.algorithm",
        cast.demand,
        digest,
        "salted digest of a model that stays with its developer",
    )
    script.refused(
        cast.operator,
        Told("asks to run the model on rows: no engine here keeps it from the hospitals", "无引擎"),
        "task.create",
        *cast.order(cast.task, MODEL_ALGORITHM, digest),
        code="grant.algorithm",
    )


def assess(script: Script, cast: Cast) -> None:
    """The developer opens its model beside the delivered product: is it the committed one?"""
    developer = cast.consumer
    documents = developer.home / DOCUMENTS
    content = (documents / _name(cast)).read_bytes()
    committed = record_of(developer.session.view("evidence", "show", _evidence(cast)))
    if sm3.digest(content) != field(committed, "digest", bytes):
        raise ScenarioFailed("the developer's model is not the one that it committed to")
    model = read_model(content)
    results = papers.read_product((documents / f"{cast.product}.json").read_bytes())
    cohorts = judge(model, results)
    joint = fit_joint(results)
    script.local(
        developer,
        Told(
            "judges its model at home: it is the one on record, unchanged",
            "模型核验",
            (("cohorts", str(len(cohorts))), ("block", str(field(committed, "height", int)))),
        ),
    )
    script.table(judgement_table(cohorts))
    script.table(effect_table(model, joint))
    script.finding("model", _verdict(cohorts))
    ratio, low, high = effect_of(joint)
    script.finding(
        "effect",
        f"{DRUG}: {ratio:.2f} times the seizures of placebo at the hospitals ({low:.2f} to "
        f"{high:.2f} with 95 percent, taking a patient's periods as independent)",
    )
    script.finding(
        "double_blind",
        "the model is in the developer's home only, on the chain its salted SM3; rows are at the "
        "hospitals' executors only, to the developer their sums by cohort",
    )
    script.measured("effect_ratio", ratio)


def _verdict(cohorts: Sequence[Cohort]) -> str:
    gaps = [one.gap for one in cohorts if one.gap is not None]
    met = sum(abs(gap) <= SURE for gap in gaps)
    hidden = sum(one.seen is None for one in cohorts)
    return (
        f"within {SURE:g} standard errors of the hospitals in {met} of {len(gaps)} cohorts; "
        f"{hidden} suppressed"
    )


def _name(cast: Cast) -> str:
    return f"model-{cast.run_id}.json"


def _evidence(cast: Cast) -> str:
    return cast.evidence(2, cast.consumer, "model")
