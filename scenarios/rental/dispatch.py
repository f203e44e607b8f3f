"""派单: the districts use the norms at home, and send their own inspectors (6.6.4c, 8.6.1b)."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.papers import document, read_product
from scenarios.rental.data import Dwelling
from scenarios.rental.models import Found, find, judged, norms_of
from scenarios.rental.table import found_table
from scenarios.script import Script, Told
from scenarios.stages.onward import hand_on


def dispatch(script: Script, cast: Cast, districts: Sequence[Sequence[Dwelling]]) -> None:
    """Every district finds its suspects; what the models are worth is told from the drawing."""
    told = Told("hands the norms to the districts, as the agreement allows", "下发指标")
    handed = hand_on(script, cast, told)
    found = [
        (supplier.party, one, judged(one, dwellings))
        for (supplier, content), dwellings in zip(handed, districts, strict=True)
        for one in (_act_on(script, cast, supplier, dwellings, content),)
    ]
    script.table(found_table(found))
    suspects = sum(len(one.suspects) for _party, one, _truth in found)
    right = sum(truth[0] for _party, _one, truth in found)
    let_by_bed = sum(truth[1] for _party, _one, truth in found)
    script.finding(
        "suspects",
        f"{suspects} dwellings suspected by two of three models; by the truth of the drawing "
        f"{right} of them are let by bed, of {let_by_bed} in all: generated data, so this tells of "
        "the drawing, not of a city",
    )
    script.measured("suspects", suspects)
    script.measured("suspects_right", right)
    script.measured("let_by_bed", let_by_bed)


def _act_on(
    script: Script, cast: Cast, supplier: Member, dwellings: Sequence[Dwelling], content: bytes
) -> Found:
    found = find(dwellings, norms_of(read_product(content)))
    orders = document(
        {
            "document": "网格派单 work orders for inspectors (生成数据 generated data)",
            "product": cast.product,
            "dataset": cast.dataset(supplier),
            "rows": list(found.suspects),
        }
    )
    supplier.keep(f"orders-{cast.product}.json", orders)
    script.local(
        supplier,
        Told(
            "applies the three models to its own dwellings and sends its inspectors",
            "网格派单",
            (
                ("suspected", f"{len(found.suspects)} of {found.dwellings:,}"),
                ("list", "stays at home"),
            ),
        ),
    )
    return found
