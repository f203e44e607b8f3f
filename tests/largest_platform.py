"""The largest calls of commissions and assets: see `tests/largest.py`."""

from __future__ import annotations

from contracts.vm.testing import Chain
from crypto import sm3
from ledger.values import Value
from tests.business import HOUR_MS
from tests.largest import DIGEST, Play, name, wide

DAY_MS = 24 * HOUR_MS


def build(play: Play, chain: Chain) -> None:
    """The operator engages `tech`, has it build and operate, and registers what it supplied."""
    asset: list[Value] = [name("z"), "crypto_module", name("tech"), wide(128), wide(64)]
    until_ms = chain.time_ms + 900 * DAY_MS
    described: list[Value] = [wide(128), wide(64), DIGEST, 5, wide(64), until_ms, wide(128)]
    described.append(wide(512))
    play.do("operator", "asset", "register", *asset, *described)
    for method in ("put_in_service", "maintain", "put_in_service"):
        play.do("operator", "asset", method, name("z"), wide(512))
    play.do("operator", "asset", "describe", name("z"), *described, wide(512))
    made: list[Value] = []
    for number in range(16):
        evidence = name(f"work-{number:02}")
        record: list[Value] = ["development.process", name("z"), DIGEST, wide(1024)]
        play.do("tech", "evidence", "record", evidence, *record)
        made.append(["evidence", evidence])
    due_ms = chain.time_ms + 2 * DAY_MS
    texts: list[Value] = [wide(128), DIGEST, wide(512)]
    for commission, kind, about, subject, days in (
        ("built", "build", "product", name("p"), 0),
        ("run", "operate", "asset", name("z"), 366),
        ("declined", "assess", "demand", name("d"), 0),
        ("ended", "fuse", "grant", name("g"), 0),
    ):
        words: list[Value] = [name("tech"), kind, *texts, about, subject, due_ms, days]
        play.do("operator", "commission", "offer", name(commission), *words)
        if commission == "declined":
            play.do("tech", "commission", "decline", name(commission), wide(1024))
        else:
            play.do("tech", "commission", "accept", name(commission), DIGEST)
    digests: list[Value] = [sm3.digest(bytes([number])) for number in range(16)]
    for number in (1, 2):
        piece: list[Value] = [name("built"), digests, made, wide(1024)]
        play.do("tech", "commission", "hand_in", *piece)
        play.do("operator", "commission", "judge", name("built"), number, True, wide(1024))
    play.do("operator", "commission", "prolong", name("built"), due_ms + 1, wide(1024))
    chain.advance(time_ms=DAY_MS // 9)
    said: list[Value] = [name("run"), chain.time_ms, DIGEST, 10**9, wide(1024)]
    play.do("tech", "commission", "report", *said)
    play.do("operator", "commission", "close", name("built"), wide(1024))
    play.do("manager", "commission", "end", name("ended"), wide(1024))
    play.do("operator", "asset", "retire", name("z"), wide(512))
