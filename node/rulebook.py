"""By which limits a height is made and judged: those of the genesis, as the chain changed them.

The contract `parameter` keeps terms in the state (contracts/parameters.py). A term begins more than
a window after the block that decides it, so the state of any block tells the limits of all heights
that may be in flight after it, and all nodes go by the same ones. Execution reads them from the
state before the block (`limits_at`); the rest of the node asks the `Rulebook`, which follows the
head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import structlog
from msgspec.structs import replace

from consensus.pbft.messages import TRANSACTIONS_MAX, WINDOW_MAX
from contracts.parameters import PARAMETER, PARAMETERS, Term, term_at, terms_of
from contracts.registry import RegistryDamaged
from contracts.vm.code_records import CODE, GENESIS, ContractRecord
from contracts.vm.engines import EngineFault
from contracts.vm.host import StateReader
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from ledger.encoding import decode
from ledger.errors import REMEDY, DecodeError, LedgerDamaged
from ledger.genesis import Limits
from node.clock import SKEW_MS_MIN
from node.intake import TRANSACTION_SIZE_MAX, Rules
from node.mempool import Admitted
from node.peer_messages import BLOCKS_FRAME_MAX

HEARTBEAT_MS_MIN: Final = 1_000  # of a chain: idle nodes must not spend their disks on it
LimitsAt: TypeAlias = Callable[[int], Limits]  # of a height

_log = structlog.get_logger("node.rulebook")


class LimitsUnfit(EngineFault):
    """The chain goes by limits with which no network of this release can work."""


class Head(StateReader, Protocol):
    """The newest state, and its height."""

    @property
    def height(self) -> int: ...


def misfit(limits: Limits) -> str:
    """Why no network of this release can work by `limits`; "" if it can."""
    most = (
        ("watermark_window", limits.watermark_window, WINDOW_MAX),
        ("block_transactions_max", limits.block_transactions_max, TRANSACTIONS_MAX),
        ("block_size_max", limits.block_size_max, BLOCKS_FRAME_MAX // 2),
        ("transaction_size_max", limits.transaction_size_max, TRANSACTION_SIZE_MAX),
        ("transaction_size_max", limits.transaction_size_max, limits.block_size_max),
        ("transaction_gas_max", limits.transaction_gas_max, limits.block_gas_max),
    )
    for name, value, bound in most:
        if value > bound:
            return (
                f"{name} is {value}, more than {bound}, the most that works with its other "
                "limits and this release"
            )
    least = (
        ("time_skew_ms_max", limits.time_skew_ms_max, SKEW_MS_MIN),
        ("heartbeat_ms", limits.heartbeat_ms, HEARTBEAT_MS_MIN),
    )
    for name, value, bound in least:
        if value < bound:
            return f"{name} is {value}, less than {bound}, the least that works with this release"
    return ""


def limits_at(before: StateReader, founded: Limits, height: int) -> Limits:
    """The limits of `height`, by the state before it; `founded` are the genesis'.

    Raises LedgerDamaged, ParametersUnknown, LimitsUnfit.
    """
    terms = _terms(before, height - 1)
    term = term_at(terms, height)
    if term is None and terms:
        raise LedgerDamaged(
            f"the state before block {height} has no limits for it; {REMEDY}", height=height - 1
        )
    return founded if term is None else _fit(term, founded)


@dataclass(frozen=True, slots=True)
class _Era:
    """A term as this release reads it; `fault` says why it cannot go by it."""

    from_height: int
    limits: Limits
    fault: EngineFault | None = None


class Rulebook:
    """What the node asks for the limits of a height near its head. Any thread may ask.

    Terms that this release cannot go by are passed over here, and said in the log; execution halts
    the node at their first height.
    """

    def __init__(self, chain_id: bytes, founded: Limits, head: Head) -> None:
        """Raises LedgerDamaged."""
        self.chain_id = chain_id
        self._founded = founded
        self._head = head
        self._read: tuple[int, tuple[_Era, ...]] = (-1, ())
        self._told: tuple[_Era, ...] = ()
        self.follow()

    def at(self, height: int) -> Limits:
        """The limits of `height`, from the one after the head on to a window above it."""
        eras = [era for era in self._eras() if era.fault is None] or [_Era(0, self._founded)]
        # Below the head the first of them has to do: nobody asks but by a race with the next block.
        return next((e.limits for e in reversed(eras) if e.from_height <= height), eras[0].limits)

    @property
    def now(self) -> Rules:
        """What is asked of a transaction: it must fit any height in flight."""
        first = self._head.height + 1
        coming = self._coming(first + self._founded.watermark_window)
        if not coming:
            return Rules(self.chain_id, self.at(first))
        ahead = [self.at(first), *(self.at(era.from_height) for era in coming)]
        return Rules(self.chain_id, _least(ahead))

    def awaits_term(self) -> bool:
        """Do other limits begin within a window? Then heights should pass until they do.

        Depends on the executed chain alone.
        """
        return bool(self._coming(self._head.height + 1 + self._founded.watermark_window))

    def judge(self) -> Callable[[Admitted], bool]:
        """Whether what waits may be in a block, as limits and head are now (intake.check_scope)."""
        limits, height = self.now.limits, self._head.height
        size_max, gas_max = limits.transaction_size_max, limits.transaction_gas_max
        last = height + limits.valid_window
        return lambda item: (
            item.size <= size_max
            and 0 < item.gas_limit <= gas_max
            and height < item.valid_until <= last
        )

    def follow(self) -> None:
        """After every block, on the main task: says in the log what an operator has to know."""
        eras, height = self._eras(), self._head.height
        before = self._founded
        for era in eras:
            changed, before = _changes(era.limits, before), era.limits
            if era.from_height > height and era not in self._told:
                _log.info("limits_scheduled", height=era.from_height, **changed)
                if era.fault is not None:
                    _log.error("limits_unfit", height=era.from_height, reason=str(era.fault))
            if era.from_height == height + 1:
                _log.info("limits_in_force", height=era.from_height, **changed)
        for era in self._told:
            if era.from_height > height and era not in eras:
                _log.info("limits_cancelled", height=era.from_height)
        self._told = eras

    def _coming(self, last: int) -> list[_Era]:
        """The terms that begin above the next height, up to `last`."""
        first = self._head.height + 1
        return [era for era in self._eras() if first < era.from_height <= last]

    def _eras(self) -> tuple[_Era, ...]:
        height = self._head.height
        if self._read[0] != height:
            terms = _terms(self._head, height)
            self._read = (height, tuple(_era(term, self._founded) for term in terms))
        return self._read[1]


def _era(term: Term, founded: Limits) -> _Era:
    try:
        return _Era(term.from_height, _fit(term, founded))
    except EngineFault as fault:
        return _Era(term.from_height, founded, fault)


def _terms(reader: StateReader, height: int) -> tuple[Term, ...]:
    """Raises LedgerDamaged."""
    raw = reader.get(CODE, PARAMETER.encode())
    if raw is None:
        return ()
    try:
        record = decode(raw, ContractRecord, size_max=STORED_VALUE_SIZE_MAX)
        # A chain that began without the contract has the name free: whoever deploys one of that
        # name, which a member may do alone, must not tell nodes what blocks are.
        return terms_of(reader) if record.deployer == GENESIS else ()
    except (DecodeError, RegistryDamaged) as error:
        raise LedgerDamaged(str(error), height=height) from None


def _fit(term: Term, founded: Limits) -> Limits:
    limits = term.limits(founded)
    reason = misfit(limits)
    if reason:
        raise LimitsUnfit(
            f"from height {term.from_height} on, {reason}: install a release that can go "
            "by it, and start the node again"
        )
    return limits


def _least(many: Sequence[Limits]) -> Limits:
    """For each parameter the least of `many`."""
    chosen = {name: min(getattr(one, name) for one in many) for name in PARAMETERS}
    return replace(many[0], **chosen)


def _changes(after: Limits, before: Limits) -> dict[str, int]:
    return {
        name: getattr(after, name)
        for name in PARAMETERS
        if getattr(after, name) != getattr(before, name)
    }
