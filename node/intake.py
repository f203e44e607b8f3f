"""From untrusted bytes to a verified transaction: the checks every transaction passes.

Runs on threads (gRPC's own, or a worker for what peers send); touches no node state but the
read-only rules, so that the main task only ever sees what is well-formed and signed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crypto.provider import CryptoProvider, SignedItem
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.genesis import Limits
from ledger.model import (
    DIGEST_SIZE,
    NONCE_SIZE,
    PROTOCOL_VERSION,
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    TAG_TRANSACTION,
    Transaction,
    TransactionBody,
    transaction_id,
)
from ledger.values import decode_value
from node import refusals
from node.mempool import Admitted
from node.peer_messages import TRANSACTIONS_FRAME_MAX
from node.refusals import Refusal

NAME_SIZE_MAX = 64  # characters of a contract or method name
# Bytes that any limits of this release may let a transaction have. What a proposal names is taken
# up to here, whatever holds now: if those who held it from larger limits have prepared it, the
# others must be able to fetch it, and its block leaves it out.
TRANSACTION_SIZE_MAX = TRANSACTIONS_FRAME_MAX // 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What the chain asks of a transaction."""

    chain_id: bytes
    limits: Limits  # what fits them may stand at any height that may be in flight


def admit(
    data: Sequence[bytes],
    *,
    rules: Rules,
    height: int,
    is_known: Callable[[bytes], bool],
    provider: CryptoProvider,
    is_wanted: Callable[[bytes], bool] = lambda wanted: False,
) -> list[Admitted | Refusal]:
    """The verdict on each of `data`, in order: form first, then all signatures in one call.

    What `is_wanted` names is needed by a proposal in flight: what depends on the height is then
    not judged here but by the rules of block making, alike on every replica.
    """
    verdicts: list[Admitted | Refusal] = []
    items: list[SignedItem] = []
    places: list[int] = []
    for encoded in data:
        try:
            item, body = check_form(encoded, rules=rules)
            if not is_wanted(item.id):
                check_scope(body, item.size, rules, height)
            if is_known(item.id):
                raise Refusal(refusals.REPLAYED, _REPLAYED)
        except Refusal as refusal:
            verdicts.append(refusal)
            continue
        places.append(len(verdicts))
        verdicts.append(item)
        message = TAG_TRANSACTION + item.transaction.body
        items.append(SignedItem(body.sender, message, item.transaction.signature))
    for place, good in zip(places, provider.verify_batch(items), strict=True):
        if not good:
            verdicts[place] = Refusal(refusals.SIGNATURE, _SIGNATURE)
    return verdicts


def check_form(encoded: bytes, *, rules: Rules) -> tuple[Admitted, TransactionBody]:
    """Encoding, sizes, chain: what no limits make good. Raises Refusal."""
    if len(encoded) > TRANSACTION_SIZE_MAX:
        raise _oversized(len(encoded), rules)
    try:
        transaction = decode(encoded, Transaction, size_max=TRANSACTION_SIZE_MAX)
        body = decode(transaction.body, TransactionBody, size_max=TRANSACTION_SIZE_MAX)
    except DecodeError as error:
        raise Refusal(refusals.ENCODING, f"not a canonical transaction: {error}") from None
    _check_sizes(transaction, body)
    if body.chain_id != rules.chain_id:
        raise Refusal(
            refusals.CHAIN,
            f"made for chain {body.chain_id.hex()[:16]}…, this is {rules.chain_id.hex()[:16]}…: "
            "check which network the client was told to use",
        )
    item = Admitted(
        id=transaction_id(transaction),
        transaction=transaction,
        valid_until=body.valid_until,
        gas_limit=body.gas_limit,
        size=len(encoded),
        sender=body.sender,
    )
    return item, body


def _oversized(size: int, rules: Rules) -> Refusal:
    return Refusal(
        refusals.OVERSIZED,
        f"{size} bytes; the chain takes {rules.limits.transaction_size_max}: keep bulk data off "
        "chain and record its digest",
    )


def _check_sizes(transaction: Transaction, body: TransactionBody) -> None:
    if body.version != PROTOCOL_VERSION:
        raise Refusal(
            refusals.VERSION,
            f"version {body.version}; this chain speaks {PROTOCOL_VERSION}: update the client",
        )
    if len(body.sender) != PUBLIC_KEY_SIZE:
        raise Refusal(refusals.KEY, f"the sender's key must be {PUBLIC_KEY_SIZE} bytes X || Y")
    if len(transaction.signature) != SIGNATURE_SIZE:
        raise Refusal(refusals.SIGNATURE, f"the signature must be {SIGNATURE_SIZE} bytes r || s")
    if len(body.chain_id) != DIGEST_SIZE or len(body.nonce) != NONCE_SIZE:
        raise Refusal(
            refusals.ENCODING, f"chain id takes {DIGEST_SIZE} bytes, the nonce {NONCE_SIZE}"
        )
    if not (0 < len(body.contract) <= NAME_SIZE_MAX and 0 < len(body.method) <= NAME_SIZE_MAX):
        raise Refusal(
            refusals.ARGUMENTS, f"contract and method take 1 to {NAME_SIZE_MAX} characters"
        )
    try:
        args = decode_value(body.args, size_max=len(body.args))
    except DecodeError as error:
        raise Refusal(
            refusals.ARGUMENTS, f"the arguments are not contract values: {error}"
        ) from None
    if not isinstance(args, list):
        raise Refusal(refusals.ARGUMENTS, "the arguments must be one list")


def check_scope(body: TransactionBody, size: int, rules: Rules, height: int) -> None:
    """Whether a block after `height` may include it, of `size` bytes. Raises Refusal."""
    limits = rules.limits
    # The rule of block making measures the same bytes: what it would always leave out must not
    # wait in a pool, where it would look like something that the primary withholds.
    if size > limits.transaction_size_max:
        raise _oversized(size, rules)
    if body.valid_until <= height:
        raise Refusal(
            refusals.EXPIRED,
            f"valid until height {body.valid_until}, the chain is at {height}: build it anew",
        )
    if body.valid_until > height + limits.valid_window:
        raise Refusal(
            refusals.TOO_EARLY,
            f"valid until height {body.valid_until}; at {height} the chain takes no more than "
            f"{height + limits.valid_window}: choose a nearer height",
        )
    if not 0 < body.gas_limit <= limits.transaction_gas_max:
        raise Refusal(
            refusals.GAS_LIMIT,
            f"gas limit {body.gas_limit}; the chain takes 1 to {limits.transaction_gas_max}",
        )


_REPLAYED = "it is in a block already: ask for its receipt instead of sending it again"
_SIGNATURE = (
    "the SM2 signature does not fit the sender's key and the signed bytes: sign the body with "
    "the distinguishing id 1234567812345678 and the key whose public half is `sender`"
)
