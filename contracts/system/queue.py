"""Queues of open work: what waits or runs in a scope, such as a grant or a party (clause 8.2.6d).

The contracts whose work it is, and they alone, enter items and take them out; they keep the items
themselves. A queue gives its items by rank. The work per change does not grow with a queue, and a
queue has a limit: nobody can fill one until its end no longer fits into a transaction. Owned items
are counted by owner as well: then none fills a queue for the others, however many its grants.

An item is entered -> left.
"""

from __future__ import annotations

from contracts.dialect import Map, call, ctx, require, view

USERS = ("contract:task", "contract:job")
SCOPES_MAX = 32  # queues that one item is in: those of a grant and of 16 participants, and some
RANK_MAX = 10**15
OPEN_MAX = 1_024  # items of one queue, whatever its user allows: one answer sorts them all

# An entry is the rank, in so many digits behind a 1, and the item: texts in the order of ranks.
DIGITS = 16

slots = Map((str, str, int), str)  # user, scope, slot -> entry
slot_by_item = Map((str, str, str), int)  # user, scope, item
lengths = Map((str, str), int)  # user, scope
shares = Map((str, str, str), int)  # user, scope, owner -> how many of its items are in the queue


@call
def enter(item: str, rank: int, scopes: list[tuple[str, int]]) -> None:
    """Puts an item into queues, each given with how many it may hold; the lowest rank is first."""
    put(require_user(), item, rank, scopes)


@call
def enter_owned(
    item: str, rank: int, owner: str, share_max: int, scopes: list[tuple[str, int]]
) -> None:
    """The same, if the owner has fewer than `share_max` items in each of the queues."""
    user = require_user()
    put(user, item, rank, scopes)
    for scope, _open_max in scopes:
        share = shares.get((user, scope, owner), 0)
        require(share < share_max, "queue.share: wait until some of your own open work ends")
        shares[user, scope, owner] = share + 1


@call
def leave(item: str, scopes: list[str]) -> None:
    """Takes an item out of queues; in each the last slot moves to where it was."""
    take(require_user(), item, scopes)


@call
def leave_owned(item: str, owner: str, scopes: list[str]) -> None:
    """The same, for an item that was entered for an owner."""
    user = require_user()
    take(user, item, scopes)
    for scope in scopes:
        shares[user, scope, owner] = shares.get((user, scope, owner), 1) - 1


@view
def items(scope: str) -> list[str]:
    """What the asking contract has in a queue, the lowest rank first."""
    user = require_user()
    count = lengths.get((user, scope), 0)
    return [entry[DIGITS:] for entry in sorted([slots[user, scope, i] for i in range(count)])]


def require_user() -> str:
    require(ctx.sender in USERS, "queue.user: tasks and jobs enter and leave queues by themselves")
    return ctx.sender


def put(user: str, item: str, rank: int, scopes: list[tuple[str, int]]) -> None:
    require(0 <= rank < RANK_MAX, "queue.rank: use 0 to 10**15 - 1")
    require(len(scopes) <= SCOPES_MAX, "queue.scopes: use up to 32 queues for one item")
    entry = str(RANK_MAX + rank) + item
    for scope, open_max in scopes:
        slot = lengths.get((user, scope), 0)
        require(slot < min(open_max, OPEN_MAX), "queue.full: wait until some open work ends")
        require((user, scope, item) not in slot_by_item, "queue.twice: it is in this queue")
        slots[user, scope, slot] = entry
        slot_by_item[user, scope, item] = slot
        lengths[user, scope] = slot + 1


def take(user: str, item: str, scopes: list[str]) -> None:
    require(len(scopes) <= SCOPES_MAX, "queue.scopes: use up to 32 queues for one item")
    for scope in scopes:
        slot, last = slot_by_item.get((user, scope, item), -1), lengths.get((user, scope), 0) - 1
        require(slot >= 0, "queue.absent: it is not in this queue")
        moved = slots[user, scope, last]
        slots[user, scope, slot] = moved
        slot_by_item[user, scope, moved[DIGITS:]] = slot
        del slots[user, scope, last]
        del slot_by_item[user, scope, item]
        lengths[user, scope] = last
