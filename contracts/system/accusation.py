"""Accusations: proof on record that a validator signed contradictory messages (clause 8.1.3c).

Two votes of one phase, view and height for different proposals, or two statements on what one
height came to. Whoever holds such a pair, a party or a node, puts it here; anybody can check it.
An accusation removes nobody: for that, people use a proposal, such as expel_validator.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    int_from_bytes,
    record,
    require,
    sm2_verify,
    sm3,
    view,
    view_contract,
)

PREPARE = b"shuxin/prepare/1\0"  # what votes and statements are tagged with before signing
COMMIT = b"shuxin/commit/1\0"
EXECUTION = b"shuxin/execution/1\0"
BYTES_32 = b"\xc4\x20"  # how canonical bytes introduce 32 bytes
DIGEST_ITEM_SIZE = 34  # with its introduction
MESSAGE_MAX = 256  # bytes; votes have at most 104, statements 208
KEPT_MAX = 16  # per validator: one is proof enough, some more show a pattern
PAGE_MAX = 100  # accusations in one answer


@record
class Accusation:
    """Two contradictory messages of one validator, as signed."""

    validator: str  # name of the node
    public_key: bytes
    kind: str  # prepare commit execution
    view: int  # 0 for execution
    height: int
    first_digest: bytes  # SM3 of the signed bytes
    second_digest: bytes
    first: bytes
    first_signature: bytes
    second: bytes
    second_signature: bytes
    accuser: str  # party or node
    recorded_height: int
    recorded_ms: int


accusations = Map(int, Accusation)
accusation_count = Var(int)
kept_of = Map(str, int)  # validator -> accusations kept
number_of = Map((str, str), int)  # validator, kind/view/height -> its accusation


@call
def accuse(
    public_key: bytes,
    first: bytes,
    first_signature: bytes,
    second: bytes,
    second_signature: bytes,
) -> None:
    """A party or a node accuses the validator with this key; `first`, `second`: signed bytes."""
    accuser = view_contract("governance", "speaker_of", ctx.sender, returns=str)
    require(accuser != "", "accusation.role: sign for an active party or as a node")
    validator = view_contract("governance", "validator_of", public_key, returns=str)
    require(validator != "", "accusation.validator: give the key of a present or former validator")
    require(
        len(first) <= MESSAGE_MAX and len(second) <= MESSAGE_MAX,
        "accusation.message: give the signed bytes of two votes or two statements",
    )
    kind, view_number, height = contradiction(first, second)
    said = f"{kind}/{view_number}/{height}"
    require((validator, said) not in number_of, "accusation.known: it is on record already")
    kept = kept_of.get(validator, 0)
    require(kept < KEPT_MAX, "accusation.full: enough is on record; propose to expel the validator")
    require(
        sm2_verify(public_key, first, first_signature),
        "accusation.first_signature: the validator did not sign the first message",
    )
    require(
        sm2_verify(public_key, second, second_signature),
        "accusation.second_signature: the validator did not sign the second message",
    )
    number = accusation_count.get(0)
    accusations[number] = Accusation(
        validator=validator,
        public_key=public_key,
        kind=kind,
        view=view_number,
        height=height,
        first_digest=sm3(first),
        second_digest=sm3(second),
        first=first,
        first_signature=first_signature,
        second=second,
        second_signature=second_signature,
        accuser=accuser,
        recorded_height=ctx.height,
        recorded_ms=ctx.time_ms,
    )
    accusation_count.set(number + 1)
    kept_of[validator] = kept + 1
    number_of[validator, said] = number
    emit(
        "Accused",
        validator=validator,
        kind=kind,
        view=view_number,
        height=height,
        first_digest=sm3(first),
        second_digest=sm3(second),
        accuser=accuser,
    )


@view
def list_(offset: int, limit: int) -> list[Accusation]:
    """Accusations in order of entry; anyone may check the proofs."""
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "accusation.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, accusation_count.get(0))
    return [accusations[number] for number in range(offset, end)]


@view
def count_of(validator: str) -> int:
    """How many accusations of this node are on record; anyone may ask."""
    return kept_of.get(validator, 0)


def contradiction(first: bytes, second: bytes) -> tuple[str, int, int]:
    """Kind, view and height that two signed messages contradict each other at, or a refusal."""
    if first.startswith(PREPARE):
        return two_votes("prepare", PREPARE, first, second)
    if first.startswith(COMMIT):
        return two_votes("commit", COMMIT, first, second)
    require(
        first.startswith(EXECUTION),
        "accusation.kind: accuse of two prepare votes, commit votes or execution statements",
    )
    return two_statements(first, second)


def two_votes(kind: str, tag: bytes, first: bytes, second: bytes) -> tuple[str, int, int]:
    """tag + [chain id, view, height, digest]: all alike but the digest."""
    at = after_chain_id(first, tag + b"\x94")
    view_number, at = number_at(first, at)
    height, at = number_at(first, at)
    require_digests(first, at, 1)
    require(len(first) == at + DIGEST_ITEM_SIZE, "accusation.form: there are bytes after the vote")
    require_contradiction(first, second, at + len(BYTES_32))
    require(len(second) == len(first), "accusation.form: the second message is no such vote")
    return (kind, view_number, height)


def two_statements(first: bytes, second: bytes) -> tuple[str, int, int]:
    """tag + [chain id, height, four digests, time]: all may differ after the height."""
    height, at = number_at(first, after_chain_id(first, EXECUTION + b"\x97"))
    require_contradiction(first, second, at)
    for message in (first, second):
        require_digests(message, at, 4)
        time_ms, end = number_at(message, at + 4 * DIGEST_ITEM_SIZE)
        require(
            time_ms >= 0 and end == len(message),
            "accusation.form: there are bytes after the statement",
        )
    return ("execution", 0, height)


def after_chain_id(message: bytes, head: bytes) -> int:
    """Where the message goes on after its head and the id of this chain."""
    start = head + BYTES_32
    require(message.startswith(start), "accusation.form: this is no vote and no statement")
    require(
        message[len(start) : len(start) + 32] == ctx.chain_id,
        "accusation.chain: the messages were signed for another chain",
    )
    return len(start) + 32


def number_at(message: bytes, at: int) -> tuple[int, int]:
    """A number in canonical bytes, and where the message goes on after it."""
    require(at < len(message), "accusation.form: a message ends too early")
    mark = message[at]
    if mark < 0x80:
        return (mark, at + 1)
    require(0xCC <= mark <= 0xCF, "accusation.form: a message holds no number where one belongs")
    end = at + 1 + (1 << (mark - 0xCC))
    require(end <= len(message), "accusation.form: a message ends too early")
    return (int_from_bytes(message[at + 1 : end]), end)


def require_digests(message: bytes, at: int, count: int) -> None:
    for number in range(count):
        start = at + number * DIGEST_ITEM_SIZE
        require(
            message[start : start + len(BYTES_32)] == BYTES_32,
            "accusation.form: a message holds no digest where one belongs",
        )


def require_contradiction(first: bytes, second: bytes, same: int) -> None:
    """Equal in their first `same` bytes, and different after them."""
    require(
        second[:same] == first[:same],
        "accusation.subject: the messages are about different things; both may be true",
    )
    require(second != first, "accusation.same: the messages say the same")
