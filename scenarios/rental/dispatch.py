"""派单: the districts use the norms at home, and send their own inspectors (6.6.4c, 8.6.1b).

The city hands the norms to the districts, as its agreement lets it. A district checks that they
are those of the registered product before it acts on them; its list of suspects stays with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from crypto import sm3
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.papers import document, read_product
from scenarios.record import ScenarioFailed
from scenarios.rental.data import Dwelling
from scenarios.rental.models import Found, find, norms_of
from scenarios.rental.table import found_table
from scenarios.script import Script, Told


def dispatch(script: Script, cast: Cast, districts: Sequence[Sequence[Dwelling]]) -> None:
    """Every district finds its suspects; what the models are worth is told from the drawing."""
    name = f"{cast.product}.json"
    content = cast.consumer.document(name)
    script.local(
        cast.consumer,
        Told("hands the norms to the districts, as the agreement allows", "下发指标"),
    )
    found = []
    for supplier, dwellings in zip(cast.suppliers, districts, strict=True):
        supplier.receive(name, content)
        found.append((supplier.party, _act_on(script, cast, supplier, dwellings)))
    script.table(found_table(found))
    suspects = sum(len(one.suspects) for _party, one in found)
    right = sum(one.right for _party, one in found)
    let_by_bed = sum(one.let_by_bed for _party, one in found)
    script.finding(
        "suspects",
        f"{suspects} dwellings suspected by two of three models; by the truth of the drawing "
        f"{right} of them are let by bed, of {let_by_bed} in all: generated data, so this tells of "
        "the drawing, not of a city",
    )
    script.measured("suspects", suspects)
    script.measured("suspects_right", right)
    script.measured("let_by_bed", let_by_bed)


def _act_on(script: Script, cast: Cast, supplier: Member, dwellings: Sequence[Dwelling]) -> Found:
    content = supplier.received(f"{cast.product}.json")
    registered = record_of(supplier.session.view("product", "show", cast.product))
    if sm3.digest(content) != field(registered, "result_digest", bytes):
        raise ScenarioFailed(f"{supplier.party} was handed other norms than were registered")
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
