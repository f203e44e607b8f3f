"""Acts of joint accounts (多签账户): what the machine does for the contract `multisig` alone.

    perform(definition: bytes, contract: str, method: str, args: bytes) -> bytes

A joint account is an address that has no key: 20 bytes of SM3, under a tag, of how many of which
accounts must agree. `multisig` keeps who agreed to what; once enough did, it calls this, and the
machine runs the call with the joint account as its sender, in the same transaction. So the register
of parties and every other contract need to know nothing of such accounts.

The address is computed here. A `multisig` that approvals upgraded to a bad version could speak for
joint accounts, but never for an account that has a key: that would take a second preimage. It must
be the one of the genesis, called by a transaction, so that it is in the middle of nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.vm import features, prices
from contracts.vm.code_records import GENESIS, Records
from contracts.vm.codes import Code, Stop
from contracts.vm.types import BYTES, STR
from contracts.vm.values import Arguments, Inner
from crypto import sm3
from ledger.model import Address
from ledger.values import Value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine

MULTISIG: Final = "multisig"  # the contract that keeps who agreed
PERFORM: Final = "perform"
DOMAIN: Final = b"shuxin/joint-account/1:"
ACT_DOMAIN: Final = b"shuxin/joint-act/1:"
_FEATURE: Final = "joint_accounts"


def address_of_definition(definition: bytes) -> Address:
    """The joint account that `definition` describes: threshold (1 byte), members (20 each)."""
    return Address(sm3.digest(DOMAIN + definition)[:20].hex())


def act_digest(account: str, contract: str, method: str, args: bytes) -> bytes:
    """What members of `account` approve: this call and no other (contracts/system/multisig.py)."""
    return sm3.digest(ACT_DOMAIN + f"{account}:{contract}:{method}:".encode() + args)


class JointCalls:
    """Answers `contract.perform`, which no transaction and no other contract reaches."""

    def __init__(self, machine: Machine, records: Records) -> None:
        self._machine = machine
        self._records = records
        parameters = (("definition", BYTES), ("contract", STR), ("method", STR), ("args", BYTES))
        self._signature = Arguments(parameters, machine.meter)

    def answers(self, caller: str, method: str) -> bool:
        """May the contract `caller` reach this method of `contract` at all?"""
        is_there = features.has(self._machine.language, _FEATURE)
        return is_there and (caller, method) == (MULTISIG, PERFORM)

    def perform(self, arguments: tuple[Value, ...]) -> Value:
        """What the call returned, encoded. Raises Stop."""
        values: list[Inner] = self._signature.check(arguments)
        definition, contract, method, args = values
        assert isinstance(definition, bytes) and isinstance(args, bytes), "checked just above"
        assert isinstance(contract, str) and isinstance(method, str)
        self._machine.meter.charge(prices.GAS_READ)
        if self._records.find(MULTISIG).deployer != GENESIS:
            raise Stop(Code.not_allowed, f"this chain began without {MULTISIG}")
        if not self._machine.is_outermost(MULTISIG):
            raise Stop(Code.reentrancy, f"{MULTISIG} must be called by a transaction")
        self._machine.meter.charge(prices.GAS_TRANSACTION_BASE)
        account = address_of_definition(definition)
        return self._machine.act_as(account, contract, method, args)
