"""The signed header of a call: right, or wrong in one way that has to be seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from ledger.access import (
    CLAIM_VERSION,
    HEADER_KEY,
    TAG_ACCESS,
    WINDOW_MS,
    AccessClaim,
    encode_header,
    request_digest,
)
from ledger.encoding import encode
from node.api.levels import Level
from tests.fuzz_api.corpus import Corpus

# What the chain makes of who calls, at the first node, which the manager runs.
LEVELS = {
    "": frozenset({Level.PUBLIC}),
    "stranger": frozenset({Level.PUBLIC}),
    "member": frozenset({Level.PUBLIC, Level.MEMBER}),
    "other": frozenset({Level.PUBLIC, Level.MEMBER}),
    "manager": frozenset({Level.PUBLIC, Level.MEMBER, Level.AUDITOR, Level.OPERATOR}),
}
WRONGS = (
    "body",
    "method",
    "chain",
    "late",
    "early",
    "version",
    "nonce",
    "key",
    "signature",
    "flipped",
    "cut",
    "noise",
    "twice",
    "text",
)
FAR_MS = 3 * WINDOW_MS  # beyond what any delay on a busy machine makes of the window

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Header:
    """`caller` "": nobody signed. `wrong` "": nothing is."""

    caller: str
    wrong: str
    metadata: Metadata


NONE = Header("", "", ())


def header(random: Random, corpus: Corpus, method: str, digested: bytes) -> Header:
    """For a call of the method; `digested` is what of the request the header covers."""
    if random.randrange(10) == 0:
        return NONE
    caller = random.choice(sorted(corpus.callers))
    wrong = random.choice(WRONGS) if random.randrange(4) == 0 else ""
    account = corpus.callers[caller]
    now_ms = time.time_ns() // 1_000_000
    claim = AccessClaim(
        version=CLAIM_VERSION + (wrong == "version"),
        chain_id=random.randbytes(32) if wrong == "chain" else corpus.chain_id,
        method=method + "x" if wrong == "method" else method,
        digest=request_digest(digested + b"x" if wrong == "body" else digested),
        time_ms=now_ms + {"late": -FAR_MS, "early": FAR_MS}.get(wrong, 0),
        nonce=random.randbytes(15 if wrong == "nonce" else 8) + _unique(wrong),
        public_key=random.randbytes(64) if wrong == "key" else account.public_key,
    )
    body = encode(claim)
    signature = account.sign(TAG_ACCESS + body)
    if wrong == "signature":
        signature = account.sign(TAG_ACCESS + body + b"x")
    data = encode_header(body, signature)
    return Header(caller, wrong, _metadata(random, data, wrong))


def _unique(wrong: str) -> bytes:
    """Half a nonce: the calls of one number are drawn alike in every campaign."""
    return b"" if wrong == "nonce" else time.time_ns().to_bytes(8)


def _metadata(random: Random, data: bytes, wrong: str) -> Metadata:
    match wrong:
        case "flipped":
            changed = bytearray(data)
            changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
            return ((HEADER_KEY, bytes(changed)),)
        case "cut":
            return ((HEADER_KEY, data[: random.randrange(len(data))]),)
        case "noise":
            return ((HEADER_KEY, random.randbytes(random.choice((0, 1, 300, 3_000)))),)
        case "twice":
            return ((HEADER_KEY, data), (HEADER_KEY, data))
        case "text":
            return ((HEADER_KEY, data.hex().encode()),)
        case _:
            return ((HEADER_KEY, data),)
