"""监督管理: the grant is taken back, and what it allowed is over at once (6.3a, 6.4b, 8.6)."""

from __future__ import annotations

from scenarios.cast import Cast
from scenarios.script import Script, Told
from scenarios.stages.authorization import UNGRANTED_PROGRAM
from scenarios.tables import evidence_table


def oversight(script: Script, cast: Cast, algorithm: str) -> None:
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
        *cast.order(f"{cast.task}-again", algorithm, UNGRANTED_PROGRAM),
        code="grant.revoked",
    )
    subjects = (cast.demand, *cast.datasets, cast.grant, cast.task, cast.product, cast.delivery)
    script.table(evidence_table(cast.manager, subjects))
