"""Who must agree before a contract of the genesis is upgraded (8.1.5 a, d).

The rule is that of `contracts/system/proposal.py`: a manager and a quorum of the organizations,
one voice each however many accounts they have. Standing counts at the time of the last approval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.vm.codes import Code, Stop
from ledger.model import Record

if TYPE_CHECKING:
    from contracts.vm.apply import Machine
    from ledger.values import Value

GENESIS: Final = "genesis"  # the deployer of the contracts that the chain began with
# The chain asks these who may speak and who orders blocks: nobody stops them, they are repaired.
FOUNDATION: Final = frozenset({"parties", "governance", "proposal"})
TERM_MS: Final = 7 * 24 * 3600 * 1000  # people have a week to decide, as on proposals
APPROVALS_MAX: Final = 128  # twice the largest committee


class Pending(Record):
    """A newer version that waits for approvals. Its source stands at NAME/SEQUENCE."""

    name: str
    sequence: int
    code_hash: bytes  # SM3 of the source: what each approval names
    expires_ms: int  # block time from which on it is void
    approvals: tuple[str, ...]  # parties, the proposer first


def voter(machine: Machine, caller: str, sender: str) -> str:
    """The active party of `sender`, if it is a manager or an organization. Raises Stop."""
    party = _ask(machine, caller, "parties", "active_party_of", sender)
    if isinstance(party, str) and party:
        if _is_manager(machine, caller, party):
            return party
        if party in _organizations(machine, caller):
            return party
    raise Stop(Code.not_allowed, "sign for a manager or for a party that runs a validator")


def with_approval(pending: Pending, party: str) -> Pending:
    """One party more is for it. Raises Stop."""
    if party in pending.approvals:
        raise Stop(Code.not_allowed, "each party approves once")
    if len(pending.approvals) >= APPROVALS_MAX:
        raise Stop(Code.value_limit, "too many approvals; propose it anew")
    return Pending(
        pending.name,
        pending.sequence,
        pending.code_hash,
        pending.expires_ms,
        (*pending.approvals, party),
    )


def is_satisfied(machine: Machine, caller: str, approvals: tuple[str, ...]) -> bool:
    """A manager and a quorum of the organizations are for it, in good standing as of now."""
    organizations = _organizations(machine, caller)
    active = [
        party for party in approvals if _ask(machine, caller, "parties", "is_active", party) is True
    ]
    voices = sum(1 for party in active if party in organizations)
    has_manager = any(_is_manager(machine, caller, party) for party in active)
    size = len(organizations)
    return has_manager and voices >= (size + (size - 1) // 3 + 2) // 2


def _organizations(machine: Machine, caller: str) -> list[Value]:
    answer = _ask(machine, caller, "governance", "organizations")
    if not isinstance(answer, list) or not answer:
        raise Stop(Code.not_allowed, "no organization runs a validator")
    return answer


def _is_manager(machine: Machine, caller: str, party: str) -> bool:
    return _ask(machine, caller, "parties", "party_has_role", party, "manager") is True


def _ask(machine: Machine, caller: str, contract: str, method: str, *arguments: Value) -> Value:
    return machine.call_other(caller, contract, method, arguments, is_view=True)
