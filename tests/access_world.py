"""A log of access in memory, and porters that let as much in as a test wants."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from node.accesslog.entry import REFUSED, Request
from node.accesslog.keeper import LogFailed
from node.api.porter import Porter
from node.api.quotas import Admission, Kind, Quotas, Rates

ANY = Rates(caller=1_000_000, host=1_000_000, anonymous=1_000_000, total=1_000_000)


@dataclass
class Remembered:
    """What was put on record. A Record."""

    entries: list[tuple[Request, str, str]] = field(default_factory=list)
    repeated: list[tuple[Request, str]] = field(default_factory=list)
    is_full: bool = False

    def check(self) -> None:
        if self.is_full:
            raise LogFailed("full")

    def append(self, request: Request, outcome: str, code: str = "") -> None:
        self.check()
        self.entries.append((request, outcome, code))

    def append_repeated(self, request: Request, code: str) -> None:
        self.check()
        self.repeated.append((request, code))

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        """(method without its service, outcome, code) of each entry."""
        told = [*self.entries, *((request, REFUSED, code) for request, code in self.repeated)]
        return [(one.method.rpartition("/")[2], outcome, code) for one, outcome, code in told]


def porter(
    record: Remembered | None = None,
    *,
    rates: Rates = ANY,
    at_once: int = 100,
    now_s: Callable[[], float] = time.monotonic,
) -> Porter:
    """Whom nothing keeps out, unless a test says what does."""
    quotas = Quotas(rates, dict.fromkeys(Kind, at_once))
    return Porter(Admission(quotas, now_s), Remembered() if record is None else record)
