"""监督管理: the grant is taken back, and what it allowed is over at once (6.3a, 6.4b, 8.6)."""

from __future__ import annotations

from executors.mpc.program import ALGORITHM
from scenarios.answers import field, list_of, record_of
from scenarios.insurance.authorization import UNGRANTED_PROGRAM
from scenarios.insurance.cast import Cast
from scenarios.record import TableRecord
from scenarios.script import Script, Told

EVIDENCE_PAGE = 100


def oversight(script: Script, cast: Cast) -> None:
    """Revocation, a refused use after it, and the trail of evidence as the manager reads it."""
    script.call(
        cast.manager,
        Told("revokes the grant: the purpose is fulfilled", "撤销授权"),
        "grant.revoke",
        cast.grant,
        "the purpose is fulfilled",
    )
    script.refused(
        cast.operator,
        Told("tries one more task with the revoked grant", "授权已撤销"),
        "task.create",
        *cast.order(f"{cast.task}-again", ALGORITHM, UNGRANTED_PROGRAM),
        code="grant.revoked",
    )
    script.table(_evidence_table(cast))


def _evidence_table(cast: Cast) -> TableRecord:
    subjects = (*cast.datasets, cast.grant, cast.task, cast.product, cast.delivery)
    rows = [
        (
            field(record, "kind", str),
            field(record, "party", str),
            subject,
            field(record, "digest", bytes).hex()[:16] + "…",
            str(field(record, "height", int)),
        )
        for subject in subjects
        for record in map(
            record_of,
            list_of(
                cast.manager.session.view("evidence", "list_by_subject", subject, 0, EVIDENCE_PAGE)
            ),
        )
    ]
    return TableRecord(
        title="存证 Evidence of every stage, as the manager reads it from the chain",
        columns=("种类\nkind", "相关方\nparty", "对象\nsubject", "摘要\nSM3", "区块\nblock"),
        rows=tuple(rows),
    )
