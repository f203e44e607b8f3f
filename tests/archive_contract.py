"""A contract for tests of generated clients: every kind of type, and names that need care."""

from __future__ import annotations

from contracts.dialect import Map, Var, call, ctx, emit, init, record, require, view

SHELF_MAX = 100


@record
class Place:
    shelf: int
    box: int | None = None


@record
class Item:
    id: str
    content: bytes
    places: list[Place]
    sizes: dict[str, int]
    span: tuple[int, int]
    note: str | None = None


items = Map(str, Item)
keeper = Var(str)


@init
def setup(name: str, shelves: list[int]) -> None:
    """Names the keeper."""
    require(len(shelves) <= SHELF_MAX, "too many shelves")
    keeper.set(name)
    emit("Opened", name=name, shelves=shelves)


@call
def store(item: Item) -> tuple[str, int]:
    """Keeps an item; returns the sender's account and how many bytes were kept.

    The "same" id replaces the item.
    """
    items[item.id] = item
    emit("Item", id=item.id, places=item.places, at=(ctx.height, item.note))
    return (ctx.sender, len(item.content))


@call
def forget(item_id: str, self: str) -> None:
    require(ctx.sender == self, "archive.self: name yourself")
    del items[item_id]
    emit("forgotten", by=self)


@view
def find(item_id: str) -> Item | None:
    return items.get(item_id)


@view
def list_(ids: list[str]) -> list[Item]:
    require(len(ids) <= SHELF_MAX, "too many ids")
    return [items[item_id] for item_id in ids]


@view
def import_() -> str:
    return keeper.get()


@view
def grouped(keys: list[tuple[str, bool]]) -> dict[tuple[str, bool], list[Item | None]]:
    require(len(keys) <= SHELF_MAX, "too many keys")
    found: dict[tuple[str, bool], list[Item | None]] = {}
    for key in keys:
        found[key] = [items.get(key[0])]
    return found
