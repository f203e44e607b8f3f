"""Evaluations: how a party did in a period, judged by who supervises it (6.6.1d, 6.4a, 6.6.2e).

An evaluation covers a period that follows the one before, gives points for named criteria, an
outcome, the digest of the report, and the time when the next one is due. The party accepts it or
contests it; who published it, or a manager, settles what was contested and may better or worsen
the outcome. Both words stay on record.

States: published -> accepted | contested; contested -> settled.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
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

OUTCOMES = ("passed", "conditional", "failed")
CRITERIA_MAX = 32
CRITERION_MAX = 64  # characters
POINTS_MAX = 100
TEXT_MAX = 2048  # characters
DIGEST_SIZE = 32  # bytes: SM3
TERM_MAX_MS = 2 * 366 * 24 * 3600 * 1000  # the next one is due within two years
PAGE_MAX = 100  # evaluations in one answer


@record
class Evaluation:
    """One period of one party as one supervisor judges it."""

    id: str
    evaluator: str  # party
    party: str
    from_ms: int
    to_ms: int
    scores: list[tuple[str, int]]  # criterion, points of 100
    outcome: str
    report_digest: bytes
    note: str
    published_ms: int
    next_due_ms: int
    status: str = "published"
    answer: str = ""  # of the party
    settlement: str = ""
    settler: str = ""  # party


evaluations = Map(str, Evaluation)
latest = Map((str, str), str)  # evaluator, party -> the last one
# Kept under "" for managers, and under who evaluates and who is evaluated.
evaluation_by_number = Map((str, int), str)
evaluation_count = Map(str, int)


@call
def publish(
    evaluation_id: str,
    party_id: str,
    from_ms: int,
    to_ms: int,
    scores: list[tuple[str, int]],
    outcome: str,
    report_digest: bytes,
    note: str,
    next_due_ms: int,
) -> None:
    """Who supervises a party evaluates a period that is over (6.6.1d)."""
    evaluator = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        view_contract("oversight", "supervises", evaluator, party_id, "", returns=bool),
        "evaluation.role: only who supervises the party evaluates it",
    )
    require(is_name(evaluation_id), "evaluation.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(evaluation_id not in evaluations, "evaluation.exists: choose another id")
    require(0 <= from_ms < to_ms <= ctx.time_ms, "evaluation.period: give a period that is over")
    before = latest.get((evaluator, party_id), "")
    require(
        before == "" or from_ms >= evaluations[before].to_ms,
        "evaluation.overlap: the period begins before the end of the last one",
    )
    check_scores(scores)
    require(outcome in OUTCOMES, "evaluation.outcome: use passed, conditional or failed")
    require(len(report_digest) == DIGEST_SIZE, "evaluation.report: use 32 bytes of SM3")
    require(
        1 <= len(note) <= TEXT_MAX, "evaluation.note: say what it rests on, in 1 to 2048 characters"
    )
    require(
        ctx.time_ms < next_due_ms <= ctx.time_ms + TERM_MAX_MS,
        "evaluation.next_due: give a time in the next two years",
    )
    evaluations[evaluation_id] = Evaluation(
        id=evaluation_id,
        evaluator=evaluator,
        party=party_id,
        from_ms=from_ms,
        to_ms=to_ms,
        scores=scores,
        outcome=outcome,
        report_digest=report_digest,
        note=note,
        published_ms=ctx.time_ms,
        next_due_ms=next_due_ms,
    )
    latest[evaluator, party_id] = evaluation_id
    for reader in ("", evaluator, party_id):
        enlist(reader, evaluation_id)
    emit(
        "EvaluationPublished",
        evaluation_id=evaluation_id,
        evaluator=evaluator,
        party_id=party_id,
        outcome=outcome,
        report_digest=report_digest,
        next_due_ms=next_due_ms,
    )


@call
def answer(evaluation_id: str, accepted: bool, text: str) -> None:
    """The party accepts its evaluation, or contests it with reasons."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(evaluation_id)
    require(party == found.party, "evaluation.party: only the party that was evaluated answers")
    require(found.status == "published", "evaluation.status: it has been answered already")
    require(accepted or text != "", "evaluation.answer: say why it is contested")
    require(len(text) <= TEXT_MAX, "evaluation.answer: use up to 2048 characters")
    status = "accepted" if accepted else "contested"
    evaluations[evaluation_id] = replace(found, status=status, answer=text)
    emit("EvaluationAnswered", evaluation_id=evaluation_id, party_id=party, accepted=accepted)


@call
def settle(evaluation_id: str, outcome: str, text: str) -> None:
    """Who published it, or a manager, decides on what was contested."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(evaluation_id)
    require(
        party != ""
        and party != found.party
        and (
            party == found.evaluator
            or view_contract("parties", "party_has_role", party, "manager", returns=bool)
        ),
        "evaluation.settler: only who published it, or a manager, settles it",
    )
    require(found.status == "contested", "evaluation.status: only what is contested is settled")
    require(outcome in OUTCOMES, "evaluation.outcome: use passed, conditional or failed")
    require(1 <= len(text) <= TEXT_MAX, "evaluation.settlement: use 1 to 2048 characters")
    evaluations[evaluation_id] = replace(
        found, status="settled", outcome=outcome, settlement=text, settler=party
    )
    emit(
        "EvaluationSettled",
        evaluation_id=evaluation_id,
        party_id=found.party,
        settler=party,
        outcome=outcome,
    )


@view
def show(evaluation_id: str) -> Evaluation:
    """One evaluation, for who evaluates, who is evaluated, and the managers."""
    reader = reader_scope()
    found = known(evaluation_id)
    require(
        reader in ("", found.evaluator, found.party),
        "evaluation.reader: only who evaluates, who is evaluated and managers may read it",
    )
    return found


@view
def list_(offset: int, limit: int) -> list[Evaluation]:
    """Evaluations in order: all for managers; for others those they made or that judge them."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "evaluation.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, evaluation_count.get(scope, 0))
    return [evaluations[evaluation_by_number[scope, number]] for number in range(offset, end)]


@view
def next_due(evaluator_party: str, party_id: str) -> int:
    """When the next evaluation of a party is due from a supervisor; 0 if it never made one."""
    reader_scope()
    last = latest.get((evaluator_party, party_id), "")
    return 0 if last == "" else evaluations[last].next_due_ms


def reader_scope() -> str:
    """Whose evaluations the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "evaluation.reader: sign with an account of an active party")
    is_manager = view_contract("parties", "party_has_role", party, "manager", returns=bool)
    return "" if is_manager else party


def known(evaluation_id: str) -> Evaluation:
    found = evaluations.get(evaluation_id)
    if found is None:
        fail("evaluation.unknown: no evaluation has this id; look for it with `list`")
    return found


def check_scores(scores: list[tuple[str, int]]) -> None:
    require(1 <= len(scores) <= CRITERIA_MAX, "evaluation.scores: give points for 1 to 32 criteria")
    names: list[str] = []
    for criterion, points in scores:
        require(
            1 <= len(criterion) <= CRITERION_MAX, "evaluation.criterion: use 1 to 64 characters"
        )
        require(criterion not in names, "evaluation.criterion_twice: name each once")
        names.append(criterion)
        require(0 <= points <= POINTS_MAX, "evaluation.points: give 0 to 100 points")


def enlist(scope: str, evaluation_id: str) -> None:
    number = evaluation_count.get(scope, 0)
    evaluation_by_number[scope, number] = evaluation_id
    evaluation_count[scope] = number + 1
