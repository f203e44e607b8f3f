"""For whom the sender speaks: `ctx.party` and `ctx.roles`, asked of the contract `parties`.

The first use in a call asks `parties.standing(sender)` as a view and pays for that as for any
view of another contract; later uses in the same call give the same answer for the price of a
guard. A call is one entry into a contract: nothing is kept beyond its end, so what it costs
follows from what it does, never from what a node holds in memory.

Only an account speaks for a party. A contract that calls, and genesis while it deploys, have none
("" and no roles) and nobody is asked, so the view runs for the outermost contract of a
transaction or query only. Where the register cannot answer (not deployed, revoked, damaged, of
an older make) the transaction fails with the code of that: "" would be a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from contracts.vm import prices
from contracts.vm.codes import Code, Stop
from contracts.vm.meter import Meter
from contracts.vm.types import STR, ListOf, TupleOf, Type
from contracts.vm.values import from_outside
from ledger.values import Value

PARTIES: Final = "parties"
VIEW: Final = "standing"  # (address: str) -> tuple[str, list[str]]
FIELDS: Final[dict[str, Type]] = {"party": STR, "roles": ListOf(STR)}
_ANSWER: Final = TupleOf((STR, ListOf(STR)))
_NOBODY: Final[tuple[str, list[str]]] = ("", [])


class Asking(Protocol):
    """What of the executor this needs."""

    meter: Meter

    def call_other(
        self,
        caller: str,
        contract: str,
        method: str,
        arguments: tuple[Value, ...],
        *,
        is_view: bool,
    ) -> Value: ...


def refuse_register(contract: str) -> None:
    """The register cannot be asked while it runs. Raises Stop(check_failed) for its own code."""
    if contract == PARTIES:
        raise Stop(
            Code.check_failed, "parties cannot use ctx.party or ctx.roles: it would ask itself"
        )


class Standing:
    """The answer for the running call of one contract; a contract runs once at a time."""

    def __init__(self, contract: str, executor: Asking) -> None:
        self._contract = contract
        self._executor = executor
        self._accept = from_outside(_ANSWER)
        self._sender = ""
        self._known: tuple[str, list[str]] | None = None

    def begin(self, sender: str) -> None:
        """A call by `sender` begins: an address, "contract:NAME" or "genesis"."""
        self._sender = sender
        self._known = None

    def _answer(self) -> tuple[str, list[str]]:
        if self._known is None:
            self._known = self._ask()
        return self._known

    def _ask(self) -> tuple[str, list[str]]:
        sender = self._sender
        if sender.startswith("contract:") or sender == "genesis":
            return _NOBODY
        self._executor.meter.charge(prices.GAS_CROSS_CALL)
        answer = self._executor.call_other(self._contract, PARTIES, VIEW, (sender,), is_view=True)
        known: tuple[str, list[str]] = self._accept(answer)
        return known

    def _party(self) -> str:
        return self._answer()[0]

    def _roles(self) -> list[str]:
        roles = self._answer()[1]
        self._executor.meter.charge(len(roles) * prices.GAS_ITEM)
        return list(roles)  # the contract may change its list

    def guards(self) -> dict[str, Callable[[], Any]]:
        return {"__ctx_party": self._party, "__ctx_roles": self._roles}
