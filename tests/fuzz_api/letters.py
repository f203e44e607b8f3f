"""What travels inside fields of bytes: signed transactions and queries, true ones and others."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from random import Random

from client.account import Account
from contracts.bundle import system_sources
from contracts.vm.abi import extract
from ledger.encoding import encode
from ledger.model import (
    PROTOCOL_VERSION,
    TAG_QUERY,
    TAG_TRANSACTION,
    Query,
    SignedQuery,
    Transaction,
    TransactionBody,
)
from ledger.values import Value, encode_value
from tests.fuzz_api.corpus import Corpus

STRANGE_NAMES = ("no-such-contract", "../evidence", "code", "__class__", "setup", "_", "")
NASTY_TEXTS = (
    "",
    "\0",
    "\n\r",
    "../../etc/passwd",
    "%s%n{0}{0.__class__}",
    "'; drop table--",
    "\u202e\u2066",
    "\u0301" * 40,
    "𐀀" * 64,
    "a" * 255,
    "é" * 300,
    "x" * 70_000,
)
NUMBERS = (0, 1, 2, 255, 256, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
SIZES = (0, 1, 2, 3, 16, 19, 20, 31, 32, 33, 63, 64, 65, 128, 512, 513, 4096, 70_000)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a system contract, with the types of its parameters as the ABI writes them."""

    contract: str
    name: str
    kind: str  # call | view
    types: tuple[str, ...]


@cache
def methods(kind: str) -> tuple[Method, ...]:
    """All of a kind."""
    return tuple(
        Method(contract, told["name"], kind, tuple(part["type"] for part in told["parameters"]))
        for contract, source in system_sources()
        for told in json.loads(extract(source))["methods"]
        if told["kind"] == kind
    )


def _called(random: Random, corpus: Corpus, kind: str) -> tuple[str, str, bytes]:
    """Contract, method and arguments, of which one thing or two may be wrong."""
    method = random.choice(methods(kind))
    args = [_typed(random, corpus, wanted) for wanted in method.types]
    match random.randrange(8):
        case 0:
            args = [value(random, corpus) for _ in range(random.randrange(7))]
        case 1 if args:
            args[random.randrange(len(args))] = value(random, corpus)
        case 2:
            return random.choice(STRANGE_NAMES), text(random, corpus), encode_value(args)
        case 3:
            return method.contract, random.choice(STRANGE_NAMES), blob(random, corpus)
        case _:
            pass
    return method.contract, method.name, encode_value(args)


def _typed(random: Random, corpus: Corpus, wanted: str) -> Value:
    """A value of the type, as far as it is a plain one."""
    match wanted:
        case "str":
            return random.choice((text(random, corpus), f"name-{random.randrange(20)}"))
        case "int":
            return random.choice((0, 1, 10, 100, 1 << 200, -1))
        case "bool":
            return bool(random.getrandbits(1))
        case "bytes":
            return random.choice(corpus.digests)
        case _ if wanted.startswith("list[str"):
            return [text(random, corpus) for _ in range(random.randrange(4))]
        case _:
            return value(random, corpus)


def text(random: Random, corpus: Corpus) -> str:
    """Something for a field of text."""
    match random.randrange(5):
        case 0:
            return random.choice(NASTY_TEXTS)
        case 1:
            return random.choice(corpus.addresses)
        case 2:
            return "".join(chr(_code_point(random)) for _ in range(random.randrange(40)))
        case _:
            method = random.choice(methods("call"))
            return random.choice((method.contract, method.name, *STRANGE_NAMES))


def _code_point(random: Random) -> int:
    """Any but half of a surrogate pair, which no text has."""
    found = random.choice((random.randrange(128), random.randrange(0x110000)))
    return found if not 0xD800 <= found < 0xE000 else 0x4E2D


def number(random: Random, corpus: Corpus, *, bits: int) -> int:
    """Something for an unsigned field of so many bits."""
    near = max(0, corpus.height + random.randrange(-40, 41))
    found = random.choice((near, near, random.choice(NUMBERS), random.getrandbits(bits)))
    return found % (1 << bits)


def blob(random: Random, corpus: Corpus) -> bytes:
    """Something for a field of bytes."""
    match random.randrange(8):
        case 0 | 1:
            return random.choice(corpus.digests)
        case 2:
            return transaction(random, corpus)
        case 3:
            return query(random, corpus)
        case 4:
            return encode_value(value(random, corpus))
        case 5:
            return bytes.fromhex(random.choice(corpus.addresses))
        case 6:
            return bytes([random.randrange(256)]) * random.choice(SIZES)
        case _:
            return random.randbytes(random.choice(SIZES))


def value(random: Random, corpus: Corpus, depth: int = 0) -> Value:
    """A value of a contract, often of the wrong type for who gets it."""
    match random.randrange(8 if depth < 3 else 6):
        case 0:
            return None
        case 1:
            return bool(random.getrandbits(1))
        case 2:
            return random.choice((0, -1, 1 << 255, -(1 << 255), random.getrandbits(64)))
        case 3:
            return random.randbytes(random.choice(SIZES))
        case 4 | 5:
            return text(random, corpus)
        case 6:
            return [value(random, corpus, depth + 1) for _ in range(random.randrange(6))]
        case _:
            return {text(random, corpus): value(random, corpus, depth + 1) for _ in range(3)}


def transaction(random: Random, corpus: Corpus) -> bytes:
    """A transaction: included, good, expired, of another chain, wrongly signed, of wild sizes."""
    if random.randrange(4) == 0:
        return random.choice(corpus.transactions)
    signer, other = _signers(random, corpus)
    contract, method, args = _called(random, corpus, "call")
    wild = random.randrange(6)
    body = TransactionBody(
        version=random.choice(NUMBERS) if wild == 0 else PROTOCOL_VERSION,
        chain_id=random.randbytes(random.choice((0, 32))) if wild == 1 else corpus.chain_id,
        sender=random.randbytes(random.choice(SIZES)) if wild == 2 else signer.public_key,
        nonce=random.randbytes(random.choice((0, 15, 16, 16, 16, 16, 17))),
        valid_until=number(random, corpus, bits=64) if wild == 3 else corpus.height + 200,
        contract=text(random, corpus) if wild == 4 else contract,
        method=method,
        args=args,
        gas_limit=random.choice((0, 1, 1000, 100_000, 2**63 - 1)),
    )
    data = encode(body)
    return encode(Transaction(data, _signature(random, other, TAG_TRANSACTION + data)))


def query(random: Random, corpus: Corpus) -> bytes:
    """A signed query: good, stale, of another chain, wrongly signed, with wild arguments."""
    signer, other = _signers(random, corpus)
    contract, method, args = _called(random, corpus, "view")
    wild = random.randrange(6)
    body = Query(
        version=random.choice(NUMBERS) if wild == 0 else PROTOCOL_VERSION,
        chain_id=random.randbytes(32) if wild == 1 else corpus.chain_id,
        sender=random.randbytes(random.choice(SIZES)) if wild == 2 else signer.public_key,
        time_ms=random.choice(NUMBERS) if wild == 3 else time.time_ns() // 1_000_000,
        contract=text(random, corpus) if wild == 4 else contract,
        method=method,
        args=args,
    )
    data = encode(body)
    return encode(SignedQuery(data, _signature(random, other, TAG_QUERY + data)))


def _signers(random: Random, corpus: Corpus) -> tuple[Account, Account]:
    """Who is named and who signs; mostly one and the same."""
    accounts = list(corpus.callers.values())
    named = random.choice(accounts)
    return named, named if random.randrange(4) else random.choice(accounts)


def _signature(random: Random, account: Account, message: bytes) -> bytes:
    match random.randrange(8):
        case 0:
            return random.randbytes(random.choice(SIZES[:12]))
        case 1:
            return bytes(64)
        case _:
            return account.sign(message)
