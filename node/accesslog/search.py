"""Entries that somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass

from node.accesslog.entry import Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry must have; what is empty is not asked for. Times are inclusive."""

    account: str = ""
    method: str = ""  # the whole name, or what stands behind its last slash
    peer: str = ""
    outcome: str = ""
    code: str = ""
    digest: bytes = b""
    from_ms: int | None = None
    to_ms: int | None = None

    def takes(self, entry: Entry) -> bool:
        short = entry.method.rpartition("/")[2]
        return (
            self.account in ("", entry.account)
            and self.method in ("", entry.method, short)
            and self.peer in ("", entry.peer)
            and self.outcome in ("", entry.outcome)
            and self.code in ("", entry.code)
            and self.digest in (b"", entry.digest)
            and (self.from_ms is None or entry.time_ms >= self.from_ms)
            and (self.to_ms is None or entry.time_ms <= self.to_ms)
        )
