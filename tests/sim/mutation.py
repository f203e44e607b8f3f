"""One field of a message changed: by a little, as a mistaken implementation would, or at will.

Works on the shape of the message alone, so it meets every kind and every field of it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import cast

import msgspec

from consensus.pbft.messages import NUMBER_MAX, Message
from ledger.model import Record

KNOWN_MAX = 32  # values of a kind, the newest: neighbours are what a message may be mistaken for

Change = Callable[[object], object]


class Known:
    """What a faulty replica has seen, by type: digests, certificates, statements, proposals."""

    def __init__(self) -> None:
        self._seen: dict[type, list[object]] = {}

    def learn(self, value: object) -> None:
        """Remember `value` and all that is inside it."""
        if isinstance(value, tuple):
            for item in value:
                self.learn(item)
        elif isinstance(value, Record | bytes):
            seen = self._seen.setdefault(type(value), [])
            if value not in seen:
                seen.append(value)
                del seen[:-KNOWN_MAX]
                if isinstance(value, Record):
                    for name in value.__struct_fields__:
                        self.learn(getattr(value, name))

    def like(self, value: object) -> list[object]:
        """Others of its kind and size."""
        others = [other for other in self._seen.get(type(value), []) if other != value]
        if isinstance(value, bytes):
            return [o for o in others if isinstance(o, bytes) and len(o) == len(value)]
        return others


def mutate(message: Message, change: Change, random: Random) -> Message:
    """A copy with one of its fields changed; the same if that field has nothing to change."""
    return cast(Message, _in_one_field(message, change, random))


def small(random: Random, known: Known) -> Change:
    """Small scope: a step up or down, a neighbour's value, one item lost or doubled."""

    def change(value: object) -> object:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return max(0, value + random.choice((-1, 1)))
        if isinstance(value, tuple):
            return _items_changed(value)
        others = known.like(value)
        if isinstance(value, Record):
            if others and random.random() < 0.5:
                return random.choice(others)
            return _in_one_field(value, change, random)
        if isinstance(value, bytes):
            return random.choice(others) if others else bytes(len(value))
        return value

    def _items_changed(items: tuple[object, ...]) -> tuple[object, ...]:
        if not items:
            return items
        place = random.randrange(len(items))
        if random.random() < 0.5:
            return items[:place] + items[place + 1 :]
        return (*items[:place], change(items[place]), *items[place + 1 :])

    return change


def wild(random: Random) -> Change:
    """Any scope: any value that the field can hold."""

    def change(value: object) -> object:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return random.randrange(NUMBER_MAX)
        if isinstance(value, bytes):
            return random.randbytes(len(value))
        if isinstance(value, tuple):
            return tuple(random.sample(value, random.randint(0, len(value))))
        if isinstance(value, Record):
            return _in_one_field(value, change, random)
        return value

    return change


def _in_one_field(record: Record, change: Change, random: Random) -> Record:
    name = random.choice(record.__struct_fields__)
    value: object = getattr(record, name)
    return msgspec.structs.replace(record, **{name: change(value)})
