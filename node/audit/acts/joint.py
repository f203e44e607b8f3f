"""What joint accounts (多签账户) did: the calls that the contract `multisig` had carried out.

The transaction is the last member's approval; the act is the call that members proposed earlier,
and the joint account's. Only what succeeded counts: an approval whose call failed left nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.vm.joint import MULTISIG
from ledger.errors import DecodeError
from ledger.model import Address
from ledger.values import Value, decode_value
from node.audit.acts.values import octets, text

_PROPOSED: Final = "JointActProposed"
_OVER: Final = frozenset({"JointActPerformed", "JointActWithdrawn"})


@dataclass(frozen=True, slots=True)
class JointCall:
    """A call with a joint account as its sender."""

    account: Address
    contract: str
    method: str
    arguments: tuple[Value, ...]


class JointActs:
    """The calls that wait for members of joint accounts, as of the transaction that is read."""

    def __init__(self) -> None:
        self._waiting: dict[str, JointCall] = {}

    def performed(self, events: Iterable[tuple[str, str, Mapping[str, Value]]]) -> JointCall | None:
        """The call that a transaction with these events carried out, if it did."""
        for contract, name, fields in events:
            if (contract, name) == (MULTISIG, "JointActPerformed"):
                return self._waiting.get(text(fields.get("act_id")))
        return None

    def follow(
        self,
        arguments: Mapping[str, Value],
        events: Iterable[tuple[str, str, Mapping[str, Value]]],
    ) -> None:
        """A transaction that succeeded, with what its sender gave and its events."""
        for contract, name, fields in events:
            act_id = text(fields.get("act_id"))
            if contract == MULTISIG and name == _PROPOSED:
                self._waiting[act_id] = JointCall(
                    account=Address(text(fields.get("account"))),
                    contract=text(fields.get("contract")),
                    method=text(fields.get("method")),
                    arguments=_values(octets(arguments.get("args"))),
                )
            elif contract == MULTISIG and (name in _OVER or fields.get("status") == "rejected"):
                self._waiting.pop(act_id, None)


def _values(encoded: bytes) -> tuple[Value, ...]:
    """As of a transaction: the bytes as they are where they are no list of values."""
    try:
        values = decode_value(encoded)
    except DecodeError:
        return (encoded,)
    return tuple(values) if isinstance(values, list) else (encoded,)
