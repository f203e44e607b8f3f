"""The contract `archive`, typed; written by `shuxin contract client`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from client import typed


@dataclass(frozen=True, slots=True)
class Place(typed.Record):
    shelf: int
    box: int | None

    @classmethod
    def from_value(cls, value: typed.Value) -> Place:
        fields = typed.fields(value, "shelf", "box")
        return cls(
            shelf=typed.integer(fields["shelf"]),
            box=typed.optional(typed.integer)(fields["box"]),
        )

    def to_value(self) -> typed.Value:
        return {"shelf": typed.encode(self.shelf), "box": typed.encode(self.box)}


@dataclass(frozen=True, slots=True)
class Item(typed.Record):
    id: str
    content: bytes
    places: list[Place]
    sizes: dict[str, int]
    span: tuple[int, int]
    note: str | None

    @classmethod
    def from_value(cls, value: typed.Value) -> Item:
        fields = typed.fields(value, "id", "content", "places", "sizes", "span", "note")
        return cls(
            id=typed.text(fields["id"]),
            content=typed.octets(fields["content"]),
            places=typed.list_of(Place.from_value)(fields["places"]),
            sizes=typed.dict_of(typed.text, typed.integer)(fields["sizes"]),
            span=_decode_1(fields["span"]),
            note=typed.optional(typed.text)(fields["note"]),
        )

    def to_value(self) -> typed.Value:
        return {
            "id": typed.encode(self.id),
            "content": typed.encode(self.content),
            "places": typed.encode(self.places),
            "sizes": typed.encode(self.sizes),
            "span": typed.encode(self.span),
            "note": typed.encode(self.note),
        }


@dataclass(frozen=True, slots=True)
class ItemEvent:
    """Event `Item`."""

    id: str
    places: list[Place]
    at: tuple[int, str | None]

    @classmethod
    def from_value(cls, value: typed.Value) -> ItemEvent:
        fields = typed.fields(value, "id", "places", "at")
        return cls(
            id=typed.text(fields["id"]),
            places=typed.list_of(Place.from_value)(fields["places"]),
            at=_decode_2(fields["at"]),
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """Event `Opened`."""

    name: str
    shelves: list[int]

    @classmethod
    def from_value(cls, value: typed.Value) -> Opened:
        fields = typed.fields(value, "name", "shelves")
        return cls(
            name=typed.text(fields["name"]),
            shelves=typed.list_of(typed.integer)(fields["shelves"]),
        )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Event `forgotten`."""

    by: str

    @classmethod
    def from_value(cls, value: typed.Value) -> Forgotten:
        fields = typed.fields(value, "by")
        return cls(by=typed.text(fields["by"]))


def _decode_1(value: typed.Value) -> tuple[int, int]:
    parts = typed.parts(value, 2)
    return (typed.integer(parts[0]), typed.integer(parts[1]))


def _decode_2(value: typed.Value) -> tuple[int, str | None]:
    parts = typed.parts(value, 2)
    return (typed.integer(parts[0]), typed.optional(typed.text)(parts[1]))


def _decode_3(value: typed.Value) -> tuple[str, int]:
    parts = typed.parts(value, 2)
    return (typed.text(parts[0]), typed.integer(parts[1]))


def _decode_4(value: typed.Value) -> tuple[str, bool]:
    parts = typed.parts(value, 2)
    return (typed.text(parts[0]), typed.boolean(parts[1]))


_decode_5 = typed.dict_of(_decode_4, typed.list_of(typed.optional(Item.from_value)))


class ArchiveClient(typed.Client):
    """Calls and views of `archive`."""

    def __init__(self, session: typed.Caller, contract: str = "archive") -> None:
        super().__init__(session, contract)

    def store(self, item: Item, *, gas_limit: int | None = None) -> typed.Called[tuple[str, int]]:
        """Keeps an item; returns the sender's account and how many bytes were kept.

        The "same" id replaces the item.
        """
        return self._call("store", _decode_3, item, gas_limit=gas_limit)

    def forget(
        self,
        item_id: str,
        self_: str,
        *,
        gas_limit: int | None = None,
    ) -> typed.Called[None]:
        return self._call("forget", typed.nothing, item_id, self_, gas_limit=gas_limit)

    def find(self, item_id: str) -> Item | None:
        return self._view("find", typed.optional(Item.from_value), item_id)

    def list_(self, ids: list[str]) -> list[Item]:
        return self._view("list", typed.list_of(Item.from_value), ids)

    def import_(self) -> str:
        return self._view("import", typed.text)

    def grouped(self, keys: list[tuple[str, bool]]) -> dict[tuple[str, bool], list[Item | None]]:
        return self._view("grouped", _decode_5, keys)


def deploy(
    session: typed.Caller,
    source: str,
    name: str,
    shelves: list[int],
    *,
    contract: str = "archive",
    gas_limit: int | None = None,
) -> typed.Called[None]:
    """Deploys the contract's source under that name.

    Names the keeper.
    """
    return typed.deploy(session, contract, source, name, shelves, gas_limit=gas_limit)


Event: TypeAlias = ItemEvent | Opened | Forgotten
EVENTS: Mapping[str, typed.Decode[Event]] = {
    "Item": ItemEvent.from_value,
    "Opened": Opened.from_value,
    "forgotten": Forgotten.from_value,
}


def events_of(receipt: typed.Receipt, contract: str = "archive") -> list[Event]:
    """This contract's events in a receipt, in order."""
    return typed.events_of(receipt, contract, EVENTS)


def event_of(event: typed.ChainEvent, contract: str = "archive") -> Event | None:
    """One event of a stream; None for what this module does not know."""
    return typed.event_of(event, contract, EVENTS)
