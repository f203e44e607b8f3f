"""收费标准: what may be charged is announced before anything is charged (6.6.1c)."""

from __future__ import annotations

from client.pages import rows_of
from crypto import sm3
from ledger.values import Value
from scenarios import papers
from scenarios.answers import field, flag, record_of
from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told
from scenarios.stages.agreement import yuan

QUERY = "query"  # a question about a product, which no chain sees: for agreements to name
# One tariff for all scenarios, as a manager has one: fen for a unit.
PRICES = (("dataset", 30_000), ("delivery", 200_000), (QUERY, 500), ("task", 50_000))
LEAD = 8  # heights until it holds: many more transactions follow before anything is metered


def tariff(script: Script, cast: Cast) -> None:
    """A tariff holds: that of an earlier run, or one that the manager enacts now."""
    if all(_is_named(cast.manager, service) for service, _fen in PRICES):
        script.remark("The tariff of an earlier run is in force (收费标准已生效).")
        return
    number = sum(1 for _ in rows_of(cast.manager.session.view, "tariff", "list")) + 1
    text = papers.tariff(PRICES)
    status = cast.manager.session.node.status()
    listed = ", ".join(f"{service} {yuan(fen)}" for service, fen in PRICES)
    script.call(
        cast.manager,
        Told("announces what may be charged", "收费标准", (("prices", listed),)),
        "tariff.enact",
        number,
        sm3.digest(text),
        "documents of the manager",
        [list[Value](price) for price in PRICES],
        status.height + 1 + LEAD,
    )
    cast.manager.keep(f"tariff-{number}.json", text)


def price_of(reader: Member, service: str) -> int:
    """Fen for a unit by the tariff in force. Raises ScenarioFailed where it names none."""
    found = record_of(reader.session.view("tariff", "price_of", service))
    if not flag(found, "is_named"):
        raise ScenarioFailed(f"the tariff in force names no price of {service}: see `tariff list`")
    return field(found, "price_fen", int)


def _is_named(reader: Member, service: str) -> bool:
    return flag(record_of(reader.session.view("tariff", "price_of", service)), "is_named")
