"""招募: each hospital invites its own patients, and nobody else learns who they are (6.6.4c)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.papers import document, read_product
from scenarios.record import TableRecord
from scenarios.script import Script, Told
from scenarios.stages.onward import hand_on
from scenarios.trial.data import OUT, STRATA, STRATUM_NAMES, Birth
from scenarios.trial.plan import plan_of


def recruit(script: Script, cast: Cast, hospitals: Sequence[Sequence[Birth]]) -> None:
    """Every hospital lists whom it would invite, where the plan says that there are enough."""
    told = Told("hands the plan to the hospitals, as the agreement allows", "下发试验方案")
    invited: list[Counter[str]] = []
    for (supplier, content), births in zip(hand_on(script, cast, told), hospitals, strict=True):
        is_feasible = plan_of(read_product(content)).is_feasible
        chosen = [one for one in births if is_feasible and one.stratum != OUT]
        _invite(script, cast, supplier, chosen)
        invited.append(Counter(one.stratum for one in chosen))
    script.measured("invited", sum(sum(counts.values()) for counts in invited))
    script.table(_table([supplier.party for supplier in cast.suppliers], invited))


def _invite(script: Script, cast: Cast, supplier: Member, chosen: Sequence[Birth]) -> None:
    invitations = document(
        {
            "document": "受试者邀请名单 patients to be invited (演示 demonstration)",
            "product": cast.product,
            "dataset": cast.dataset(supplier),
            "rows": [one.number for one in chosen],
        }
    )
    supplier.keep(f"invitations-{cast.product}.json", invitations)
    script.local(
        supplier,
        Told(
            "finds its own patients who meet the criteria, to be invited by their doctors",
            "受试者匹配",
            (("matched", str(len(chosen))), ("list", "stays at home")),
        ),
    )


def _table(parties: Sequence[str], invited: Sequence[Counter[str]]) -> TableRecord:
    """How many each hospital invites: known to the program that plays all parties, to no party."""
    return TableRecord(
        title="各院邀请人数 Invited by each hospital (told by this demonstration; no party has it)",
        columns=("分层\nstratum", *(f"医院\n{party}" for party in parties)),
        rows=tuple(
            (STRATUM_NAMES[stratum], *(str(counts[stratum]) for counts in invited))
            for stratum in STRATA
        ),
    )
