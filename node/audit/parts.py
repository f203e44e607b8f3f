"""The parts that all signed documents of an audit share, and their signatures.

JSON objects with names, closed: an unknown field is refused. A signature covers a tag and the
bytes of the document as `msgspec` encodes it, so a document is signed for what it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from client.account import Account
from crypto import sm2
from crypto.errors import KeyInvalid, SignatureInvalid
from ledger.genesis import Genesis
from ledger.model import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, address_of
from node.audit.verdict import Divergence, Verdict

# What a ledger can hold, and a page can divide: JSON knows larger ones. -1: no height.
Figure = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]
MOMENT_MAX_MS = 253_402_300_799_000  # the end of the year 9999, in whole seconds
Time = Annotated[int, msgspec.Meta(ge=0, le=MOMENT_MAX_MS)]


class ReportInvalid(Exception):
    """A file is no report, or not the one that was signed; says which."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the parts of a report: JSON objects with names."""


class GenesisPart(Part, frozen=True):
    """What was trusted."""

    name: str
    chain_id: str
    vm_version: str
    validators: Figure


class SourcePart(Part, frozen=True):
    """What was examined. `content` covers all that was read up to the last height that holds."""

    name: str
    kind: str  # ledger archive node
    archive: str  # digest of the archive; empty for others
    content: str


class DivergencePart(Part, frozen=True):
    height: Figure
    kind: str
    check: str
    transaction: str
    key: str
    expected: str
    found: str


class FiguresPart(Part, frozen=True):
    """`bound`: raw SM2 verifications a second on the same threads; `share`: thousandths of it."""

    height: Figure
    certified_height: Figure
    transactions: Figure
    signatures: Figure
    state_root: str
    committees: Figure
    recoveries: Figure
    resumed_height: Figure
    milliseconds: Figure
    threads: Figure
    transactions_per_second: Figure
    signatures_per_second: Figure
    bound: Figure
    share: Figure


class SignaturePart(Part, frozen=True):
    """Over a tag of its own and the bytes of the document; hexadecimal."""

    public_key: str
    address: str
    signature: str


def genesis_part(verdict: Verdict, genesis: Genesis) -> GenesisPart:
    return GenesisPart(genesis.name, verdict.chain_id, genesis.vm_version, genesis.validators.size)


def source_part(verdict: Verdict, source: str) -> SourcePart:
    """`source` is what the auditor calls it."""
    return SourcePart(source, verdict.kind, verdict.archive, verdict.content)


def divergence_part(divergence: Divergence | None) -> DivergencePart | None:
    if divergence is None:
        return None
    return DivergencePart(
        divergence.height,
        divergence.kind.value,
        divergence.check,
        divergence.transaction,
        divergence.key,
        divergence.expected,
        divergence.found,
    )


def figures_part(verdict: Verdict) -> FiguresPart:
    seconds = max(verdict.seconds, 0.001)
    return FiguresPart(
        height=verdict.height,
        certified_height=verdict.certified_height,
        transactions=verdict.transactions,
        signatures=verdict.signatures,
        state_root=verdict.state_root,
        committees=verdict.committees,
        recoveries=verdict.recoveries,
        resumed_height=verdict.resumed_height,
        milliseconds=round(verdict.seconds * 1000),
        threads=verdict.threads,
        transactions_per_second=round(verdict.transactions / seconds),
        signatures_per_second=round(verdict.rate),
        bound=round(verdict.bound),
        share=round(verdict.share * 1000),
    )


def signature_of(message: bytes, signer: Account | None) -> SignaturePart | None:
    """Over a tag and a document; None where nobody signs."""
    if signer is None:
        return None
    return SignaturePart(signer.public_key.hex(), signer.address, signer.sign(message).hex())


def check_signature(part: SignaturePart | None, message: bytes, path: Path) -> None:
    """That it is over that message, if there is one. Raises ReportInvalid."""
    if part is None:
        return
    try:
        public, signature = bytes.fromhex(part.public_key), bytes.fromhex(part.signature)
    except ValueError:
        raise ReportInvalid(f"{path}: its signature is not hexadecimal") from None
    sizes = len(public), len(signature)
    if sizes != (PUBLIC_KEY_SIZE, SIGNATURE_SIZE) or address_of(public) != part.address:
        raise ReportInvalid(f"{path}: its signature is not one of the address that it names")
    try:
        sm2.verify(public, message, signature)
    except (KeyInvalid, SignatureInvalid):
        raise ReportInvalid(
            f"{path}: {part.address} did not sign this report: it was altered since"
        ) from None
