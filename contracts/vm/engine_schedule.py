"""Which engine runs which height: a schedule in the state, so that all nodes change at one block.

Namespace "code", key /engine: canonical EngineSchedule. The genesis writes its first term; the
contract `proposal` adds further ones (engine_calls.py). The block at height H runs under the last
term that begins at or below H, as it stands after the block before. Terms only come in at the
end, later than all others and above the block that decides them, and only such are taken out: what
ran stays on record.

Here is the stored form, its reading and its rules; no machine.
"""

from __future__ import annotations

import itertools
from typing import Final, Protocol

from contracts.vm.code_records import CODE
from contracts.vm.engines import NAME_SIZE_MAX, Engine, EngineFault, find, language_of
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Height, Record

KEY: Final = b"/engine"
TERMS_MAX: Final = 256  # engine changes in a chain's life: a value of 20 KiB
HEIGHT_MAX: Final = 2**53 - 1  # the largest that every JSON reader takes


class Reader(Protocol):
    def get(self, namespace: str, key: bytes) -> bytes | None: ...


class EngineTerm(Record):
    """From `from_height` on, until the next term, `vm_version` runs the blocks."""

    from_height: Height
    vm_version: str


class EngineSchedule(Record):
    terms: tuple[EngineTerm, ...]  # heights ascend; the first is 0, the genesis

    def at(self, height: int) -> EngineTerm:
        """The term of `height`."""
        return next(term for term in reversed(self.terms) if term.from_height <= height)

    def after(self, height: int) -> tuple[EngineTerm, ...]:
        """The terms that begin above `height`."""
        return tuple(term for term in self.terms if term.from_height > height)


class ScheduleDamaged(EngineFault):
    """The schedule in the state is not what the machine writes there."""


class ChangeRefused(Exception):
    """No such change of the engine: code, then what to do."""


def founded(vm_version: str) -> EngineSchedule:
    """The schedule that a genesis begins with."""
    return EngineSchedule((EngineTerm(Height(0), vm_version),))


def decode_schedule(raw: bytes) -> EngineSchedule:
    """Raises ScheduleDamaged."""
    try:
        schedule = decode(raw, EngineSchedule, size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise ScheduleDamaged(f"the schedule of engines: {error}; {_ADVICE}") from None
    heights = [term.from_height for term in schedule.terms]
    is_sound = (
        0 < len(heights) <= TERMS_MAX
        and heights[0] == 0
        and all(one < other for one, other in itertools.pairwise(heights))
        and all(len(term.vm_version) <= NAME_SIZE_MAX for term in schedule.terms)
    )
    if not is_sound:
        raise ScheduleDamaged(f"the schedule of engines has no such terms; {_ADVICE}")
    return schedule


def schedule_of(reader: Reader) -> EngineSchedule:
    """The schedule in a state. Raises ScheduleDamaged."""
    raw = reader.get(CODE, KEY)
    if raw is None:
        raise ScheduleDamaged(f"the state names no engine; {_ADVICE}")
    return decode_schedule(raw)


def engine_at(reader: Reader, height: int) -> Engine:
    """What runs the block at `height`, by the state before it, or a view on the state after it.

    Raises ScheduleDamaged, EngineUnknown.
    """
    term = schedule_of(reader).at(height)
    where = f"height {height} and those after {term.from_height} run under"
    if term.from_height == height:
        where = f"from height {height} on this chain runs under"
    return find(term.vm_version, where=where)


def scheduled(
    schedule: EngineSchedule, vm_version: str, from_height: int, *, now: int
) -> EngineSchedule:
    """With a further term, decided in the block at height `now`. Raises ChangeRefused."""
    last = schedule.terms[-1]
    language, before = language_of(vm_version), language_of(last.vm_version)
    if language is None:
        raise ChangeRefused("engine.name: give it as shuxin-vm/N+cpython-3.N+16 hex digits")
    if vm_version == last.vm_version:
        raise ChangeRefused("engine.same: the last term has this engine already")
    if before is not None and language < before:
        raise ChangeRefused("engine.language: contracts may use what an earlier one does not have")
    if not now < from_height <= HEIGHT_MAX:
        raise ChangeRefused("engine.height: give a height that is still to come")
    if from_height <= last.from_height:
        raise ChangeRefused("engine.order: give a height above that of the last term")
    if len(schedule.terms) >= TERMS_MAX:
        raise ChangeRefused("engine.terms: this chain has changed its engine too often")
    return EngineSchedule((*schedule.terms, EngineTerm(Height(from_height), vm_version)))


def cancelled(schedule: EngineSchedule, from_height: int, *, now: int) -> EngineSchedule:
    """Without its last term, which begins at `from_height`. Raises ChangeRefused."""
    if schedule.terms[-1].from_height != from_height:
        raise ChangeRefused("engine.not_last: name the height of the change that comes last")
    if from_height <= now:
        raise ChangeRefused("engine.in_force: it cannot be undone; schedule another engine")
    return EngineSchedule(schedule.terms[:-1])


def encode_schedule(schedule: EngineSchedule) -> bytes:
    """What the state holds."""
    return encode(schedule)


_ADVICE: Final = "verify the ledger of this node, restore a backup or let it sync anew"
