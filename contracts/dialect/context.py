"""What surrounds a call: who calls, refusing, telling the world, other contracts."""

from __future__ import annotations

from typing import NoReturn, TypeVar, overload

from contracts.dialect.storage import OutsideVm

T = TypeVar("T")


class Refused(Exception):
    """`require` or `fail` outside the VM (inside it ends the transaction with `refused`)."""


class Context:
    """Facts about the running call; read-only. Fields exist only inside the VM."""

    sender: str  # account address (40 hex digits), or "contract:NAME" when a contract calls
    origin: str  # account that signed; for the record, never for deciding permission
    chain_id: bytes  # 32 bytes: SM3 of the genesis
    height: int  # block height
    time_ms: int  # block time, Unix milliseconds
    contract: str  # name of this contract
    method: str  # method of this contract that was called from outside
    party: str  # id of the active party that the sender speaks for; "" if there is none
    roles: list[str]  # of that party, in the order of the register; empty if there is none
    tx_id: bytes  # 32 bytes; empty in a view query

    def __getattr__(self, name: str) -> NoReturn:
        raise OutsideVm(f"ctx.{name} exists inside the VM only")


ctx = Context()


def require(condition: bool, text: str) -> None:
    """Refuse the transaction with `text` (a literal) unless `condition` holds."""
    if not condition:
        raise Refused(text)


def fail(text: str) -> NoReturn:
    """Refuse the transaction with `text` (a literal)."""
    raise Refused(text)


def emit(event: str, **fields: object) -> None:
    """Add an event to the receipt. `event` is a literal; fields keep their order."""
    raise OutsideVm("emit works inside the VM only")


@overload
def call_contract(contract: str, method: str, *args: object) -> None: ...
@overload
def call_contract(contract: str, method: str, *args: object, returns: type[T]) -> T: ...
def call_contract(
    contract: str, method: str, *args: object, returns: type[T] | None = None
) -> T | None:
    """Run another contract's @call inside this transaction: shared gas, reverts as a whole."""
    raise OutsideVm("call_contract works inside the VM only")


def view_contract(contract: str, method: str, *args: object, returns: type[T]) -> T:
    """Ask another contract's @view. A result that is not a `returns` fails the transaction."""
    raise OutsideVm("view_contract works inside the VM only")
