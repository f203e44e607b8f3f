"""What a service cost at a height, by the versions that managers enacted and withdrew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ledger.values import Value
from node.audit.acts.act import Act


class Version(NamedTuple):
    number: int
    from_height: int
    prices: Mapping[str, int]  # service -> fen a unit


class Tariffs:
    """Every version that was not withdrawn, in order."""

    def __init__(self) -> None:
        self._versions: list[Version] = []

    def hear(self, name: str, fields: Mapping[str, Value], act: Act) -> None:
        """An event of the contract `tariff`; the prices stand in the arguments."""
        number, from_height = fields.get("number"), fields.get("from_height")
        if type(number) is not int:
            return
        if name == "TariffWithdrawn":
            self._versions = [one for one in self._versions if one.number != number]
        elif name == "TariffEnacted" and type(from_height) is int:
            prices = _prices(act.given.get("prices"))
            self._versions.append(Version(number, from_height, prices))

    def price_at(self, service: str, height: int) -> int:
        """Fen for a unit; what the version in force does not name is free, and so is all before
        the first one."""
        held = [one for one in self._versions if one.from_height <= height]
        return held[-1].prices.get(service, 0) if held else 0


def _prices(value: Value) -> dict[str, int]:
    found: dict[str, int] = {}
    for pair in value if isinstance(value, list) else ():
        match pair:
            case [str(service), int(price)] | (str(service), int(price)):
                found[service] = price
    return found
