"""Messages of any descriptor: each field absent, true, or something that nobody expects there."""

from __future__ import annotations

from random import Random
from typing import Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz_api import letters
from tests.fuzz_api.corpus import PLACES, Corpus

DEPTH_MAX = 3  # of messages in messages
COUNTS = (0, 1, 1, 1, 2, 3, 5, 40)  # items of a list
COUNTS_WILD = (257, 1001)  # beyond what the interface takes
WAITS_MS = (0, 1, 20, 200)  # how long a waiting call asks to wait; the wild ones ask for more

_BITS: Final = {
    FieldDescriptor.TYPE_UINT32: 32,
    FieldDescriptor.TYPE_UINT64: 64,
    FieldDescriptor.TYPE_INT32: 31,
    FieldDescriptor.TYPE_INT64: 63,
}


def message(random: Random, corpus: Corpus, descriptor: Descriptor, depth: int = 0) -> Message:
    """A message in which every field is of its type, and little of it makes sense."""
    found = message_factory.GetMessageClass(descriptor)()
    place = random.choice(PLACES)
    for field in descriptor.fields:
        if random.randrange(8) == 0:
            continue  # absent
        if field.is_repeated:
            for _ in range(_count(random, depth)):
                _append(random, corpus, found, field, depth)
        elif field.message_type is not None:
            if depth < DEPTH_MAX:
                part = message(random, corpus, field.message_type, depth + 1)
                getattr(found, field.name).CopyFrom(part)
        elif field.name in ("namespace", "key") and random.randrange(3):
            setattr(found, field.name, place[field.name == "key"])
        else:
            setattr(found, field.name, _scalar(random, corpus, field))
    return found


def _count(random: Random, depth: int) -> int:
    if depth == 0 and random.randrange(200) == 0:
        return random.choice(COUNTS_WILD)
    return random.choice(COUNTS[: 8 - 2 * depth])


def _append(
    random: Random, corpus: Corpus, found: Message, field: FieldDescriptor, depth: int
) -> None:
    items = getattr(found, field.name)
    if field.message_type is None:
        items.append(_scalar(random, corpus, field))
    elif depth < DEPTH_MAX:
        items.add().CopyFrom(message(random, corpus, field.message_type, depth + 1))


def _scalar(
    random: Random, corpus: Corpus, field: FieldDescriptor
) -> int | str | bytes | bool | float:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return letters.text(random, corpus)
        case FieldDescriptor.TYPE_BYTES:
            return _bytes(random, corpus, field.name)
        case FieldDescriptor.TYPE_BOOL:
            return bool(random.getrandbits(1))
        case FieldDescriptor.TYPE_ENUM:
            return random.randrange(-1, 10)
        case kind if field.name == "timeout_ms" and random.randrange(8):
            return random.choice(WAITS_MS)
        case kind:
            return letters.number(random, corpus, bits=_BITS[kind])


def _bytes(random: Random, corpus: Corpus, name: str) -> bytes:
    """Mostly what belongs into a field of that name."""
    if random.randrange(4):
        match name:
            case "transaction" | "transactions":
                return letters.transaction(random, corpus)
            case "query":
                return letters.query(random, corpus)
            case "transaction_id" | "hash":
                return random.choice(corpus.digests)
            case "address":
                return bytes.fromhex(random.choice(corpus.addresses))
            case _:
                pass
    return letters.blob(random, corpus)
