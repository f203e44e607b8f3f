"""An access log in a folder, its clock, and what the chain was told of it."""

from __future__ import annotations

from pathlib import Path

from crypto import sm3
from ledger.model import Address
from node.accesslog.entry import ANSWERED, Entry, Request
from node.accesslog.keeper import HOUR_MS, AccessLog, Closed, LogKeep, Owner
from node.accesslog.verify import Verified, verify

OWNER = Owner(sm3.digest(b"chain"), Address("ab" * 20))
KEEP = LogKeep(days=30, bytes_max=1 << 30)
START_MS = 480_000 * HOUR_MS


def request(number: int = 0, *, method: str = "/shuxin.v1.Node/View") -> Request:
    return Request(
        method, sm3.digest(b"%d" % number), "cd" * 20, b"", ("member", "public"), "10.0.0.7"
    )


class World:
    """One folder, its clock, and what the chain was told."""

    def __init__(self, folder: Path, keep: LogKeep = KEEP) -> None:
        self.folder = folder
        self.now_ms = START_MS
        self.anchors: dict[int, Closed] = {}
        self.keep = keep
        self.log = self.open()

    def open(self) -> AccessLog:
        newest = self.anchors[max(self.anchors)] if self.anchors else None
        return AccessLog(
            self.folder, OWNER, keep=self.keep, wall_ms=lambda: self.now_ms, anchored=newest
        )

    def reopen(self) -> None:
        self.log.close()
        self.log = self.open()

    def ask(self, *numbers: int) -> None:
        for number in numbers:
            self.log.append(request(number), ANSWERED)

    def hour(self, *, is_anchored: bool = True) -> None:
        """An hour passes; what was closed goes to the chain."""
        self.now_ms += HOUR_MS
        self.log.tick()
        if is_anchored:
            self.anchor()

    def anchor(self) -> None:
        while (closed := self.log.closed_after(max(self.anchors, default=0))) is not None:
            self.anchors[closed.number] = closed

    def verified(self) -> Verified:
        return verify(self.folder, self.anchors, account=OWNER.account, chain_id=OWNER.chain_id)

    def entries(self) -> list[Entry]:
        found: list[Entry] = []
        verify(self.folder, self.anchors, take=found.append)
        return found


def three_hours_in(folder: Path) -> World:
    """Files 1 and 2 are closed and on the chain; file 3 is being written."""
    world = World(folder)
    for hour in range(3):
        world.ask(*range(hour * 10, hour * 10 + 10))
        if hour < 2:
            world.hour()
    return world


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
