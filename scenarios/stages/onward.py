"""使用: what the consumer may pass on, it passes on to the suppliers, for use at home (6.6.4c)."""

from __future__ import annotations

from collections.abc import Iterator

from crypto import sm3
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told


def hand_on(script: Script, cast: Cast, told: Told) -> Iterator[tuple[Member, bytes]]:
    """The consumer hands the product to each supplier, which checks before it uses it.

    Each supplier with the product as it received it. Raises ScenarioFailed where that is not the
    product that was registered.
    """
    name = f"{cast.product}.json"
    content = cast.consumer.document(name)
    script.local(cast.consumer, told)
    for supplier in cast.suppliers:
        supplier.receive(name, content)
        received = supplier.received(name)
        registered = record_of(supplier.session.view("product", "show", cast.product))
        if sm3.digest(received) != field(registered, "result_digest", bytes):
            raise ScenarioFailed(f"{supplier.party} was handed another product than was registered")
        yield supplier, received
