"""Memory for secrets: one region that is neither swapped nor dumped, in slots wiped after use.

Secrets are read from a socket into a slot and written to a socket from it; no Python object ever
holds one, since those can neither be locked nor wiped.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crypto.agent.wire import SECRET_SIZE_MAX

SLOTS: Final = 24  # with SECRET_SIZE_MAX well below the 64 KiB that a user may lock anywhere
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True, slots=True)
class _Entry:
    slot: int
    size: int
    until_s: float


class Vault:
    """Named secrets, each until a moment of the clock that it is given."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._region = mmap.mmap(-1, SLOTS * SECRET_SIZE_MAX)
        self._view = memoryview(self._region)
        self._entries: dict[str, _Entry] = {}
        self.is_locked = _lock(self._region)

    def reserve(self, name: str) -> int | None:
        """The number of a free slot for `name`; None when all are taken.

        What was held under this name is gone: an agent that is told anew knows nothing older.
        """
        self.drop(name)
        taken = {entry.slot for entry in self._entries.values()}
        return next((number for number in range(SLOTS) if number not in taken), None)

    def slot(self, number: int) -> memoryview:
        """Where a secret is to be written."""
        return self._view[number * SECRET_SIZE_MAX : (number + 1) * SECRET_SIZE_MAX]

    def hold(self, name: str, number: int, *, size: int, seconds: int) -> None:
        """Keep what was written into a slot that is reserved."""
        self._entries[name] = _Entry(number, size, self._clock_s() + seconds)

    def give(self, name: str) -> memoryview | None:
        """The secret itself, not a copy; None if none is held."""
        self.purge()
        entry = self._entries.get(name)
        return None if entry is None else self.slot(entry.slot)[: entry.size]

    def drop(self, name: str) -> bool:
        """Wipe one; was there one?"""
        entry = self._entries.pop(name, None)
        if entry is None:
            return False
        self.wipe(entry.slot)
        return True

    def drop_all(self) -> None:
        for name in list(self._entries):
            self.drop(name)

    def purge(self) -> None:
        """Wipe those whose time has come."""
        now = self._clock_s()
        for name, entry in list(self._entries.items()):
            if entry.until_s <= now:
                self.drop(name)

    def held(self) -> list[tuple[str, int]]:
        """Names, and for how many seconds more."""
        self.purge()
        now = self._clock_s()
        return sorted((name, int(entry.until_s - now)) for name, entry in self._entries.items())

    def wipe(self, number: int) -> None:
        """What a slot holds is no more."""
        self.slot(number)[:] = bytes(SECRET_SIZE_MAX)

    def is_wiped(self) -> bool:
        """Does no slot hold anything?"""
        return not any(self._view)


def harden_process() -> None:
    """No core dump, and no other process of this user may read this one's memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # a kernel without it still has the rest
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _lock(region: mmap.mmap) -> bool:
    """Keep the region out of swap and dumps; could it be locked?"""
    with contextlib.suppress(OSError, AttributeError):
        region.madvise(mmap.MADV_DONTDUMP)
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.c_void_p(_address(memoryview(region)))
    return int(libc.mlock(start, ctypes.c_size_t(len(region)))) == 0


def _address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))
