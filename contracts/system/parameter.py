"""What a block may hold and how the chain beats: figures that all nodes go by (8.1.3, 8.1.5).

The genesis gives the first figures; the contract `proposal` has them changed. Every node makes and
judges the block at a height by the term in force there, which it reads from the state before that
block (contracts/parameters.py). A term begins more than a window after the block that decides it,
so no height in flight changes its rules. Two figures of the genesis are no parameters: the window
itself, and for how many heights a transaction may be valid; by them nodes know what they may
forget.

Terms: scheduled -> in_force -> superseded; scheduled -> cancelled.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    init,
    record,
    replace,
    require,
    view,
    view_contract,
)

# Name, least and most. No bound may be so small that the transactions of governance itself (a
# proposal, an upgrade with its source) do not fit any more, nor so large that what nodes of this
# release send or keep in memory cannot hold it.
PARAMETERS = (
    ("transaction_size_max", 98304, 524288),  # bytes: a contract source; half a frame
    ("block_transactions_max", 10, 4096),  # ids of one proposal on the wire
    ("block_size_max", 1048576, 8388608),  # bytes: half a frame of block sync
    ("block_gas_max", 50000000, 800000000),  # what a block's outcome takes of the jail's 1 GiB
    ("transaction_gas_max", 50000000, 80000000),  # the largest call of a client; the jail again
    ("time_skew_ms_max", 4000, 30000),  # what honest clocks are apart; half a client's patience
    ("heartbeat_ms", 1000, 86400000),  # a day, and no more than the genesis says: `most_of`
)
COMING_MAX = 8  # terms that wait: bounds what every node reads before a block
LEAD_MAX = 10**8  # heights: a term may be announced some years ahead, not for ever
PAGE_MAX = 100  # changes in one answer


@record
class Term:
    """What holds from `from_height` on, until the next term."""

    from_height: int
    values: list[tuple[str, int]]  # all parameters, in the order of the genesis


@record
class Change:
    """What was decided, and what became of it as of the height of the answer."""

    number: int
    proposal_id: str
    values: list[tuple[str, int]]  # those that it changes
    decided_height: int
    from_height: int
    status: str = "scheduled"  # as kept; or cancelled. In answers: in_force superseded


@record
class Parameter:
    """One figure at the height of the answer, and between what it may be set."""

    name: str
    value: int
    least: int
    most: int
    coming: int  # the value of the next term, which may be the same
    from_height: int  # of the next term; 0: none is decided


# What a node reads before each block (contracts/parameters.py): keep name and types.
terms = Var(list[Term])  # ascending; the first is in force, or was when the others were decided

heartbeat_founded = Var(int)  # ms
changes = Map(int, Change)
change_by_height = Map(int, int)  # number of the latest one for that first height
change_count = Var(int)


@init
def setup(values: list[tuple[str, int]]) -> None:
    """Takes the figures of the genesis, in the order of PARAMETERS."""
    require(len(values) == len(PARAMETERS), "parameter.names: name all, in order")
    for place, (name, _least, _most) in enumerate(PARAMETERS):
        require(values[place][0] == name, "parameter.names: name all, in order")
    terms.set([Term(0, values)])
    heartbeat_founded.set(value_in(values, "heartbeat_ms"))


@call
def schedule(proposal_id: str, values: list[tuple[str, int]], not_before: int) -> int:
    """The height from which approved values hold; for approved proposals alone."""
    require_proposal()
    term = term_after(values, not_before)
    kept = kept_terms()
    kept.append(term)
    terms.set(kept)
    number = change_count.get(0)
    changes[number] = Change(number, proposal_id, values, ctx.height, term.from_height)
    change_by_height[term.from_height] = number
    change_count.set(number + 1)
    emit(
        "ParametersScheduled",
        proposal_id=proposal_id,
        number=number,
        values=values,
        from_height=term.from_height,
    )
    return term.from_height


@call
def cancel(proposal_id: str, from_height: int, number: int) -> None:
    """The last scheduled change, for that height, does not happen; for proposals alone."""
    require_proposal()
    # Another may have been decided for the height since people were asked about that one.
    require(
        cancellable(from_height) == number,
        "parameter.other: another change is scheduled for this height by now; propose anew",
    )
    kept = terms.get()
    kept.pop()
    terms.set(kept)
    changes[number] = replace(changes[number], status="cancelled")
    emit(
        "ParametersCancelled",
        proposal_id=proposal_id,
        number=number,
        from_height=from_height,
    )


@view
def list_(offset: int, limit: int) -> list[Parameter]:
    """The parameters at this height; anyone may read what transactions are judged by."""
    require_page(offset, limit)
    now, coming = in_force(), next_term()
    found: list[Parameter] = []
    for place, (name, least, most) in enumerate(PARAMETERS):
        if offset <= place < offset + limit:
            present = value_in(now.values, name)
            after = present if coming is None else value_in(coming.values, name)
            height = 0 if coming is None else coming.from_height
            found.append(Parameter(name, present, least, most_of(name, most), after, height))
    return found


@view
def value_of(name: str) -> int:
    """One figure at this height, for contracts and clients."""
    return value_in(in_force().values, name)


@view
def terms_() -> list[Term]:
    """The term in force and those that are decided on; anyone may read them."""
    return kept_terms()


@view
def history(offset: int, limit: int) -> list[Change]:
    """All changes that were decided, in order."""
    require_page(offset, limit)
    end = min(offset + limit, change_count.get(0))
    begun = in_force().from_height
    return [as_of_now(changes[number], begun) for number in range(offset, end)]


@view
def check(values: list[tuple[str, int]], not_before: int) -> bool:
    """True, or a refusal that says why there is no such change; for other contracts."""
    return term_after(values, not_before).from_height > 0


@view
def check_cancel(from_height: int) -> int:
    """The number of the change, or a refusal that says why it stays; for other contracts."""
    return cancellable(from_height)


def require_proposal() -> None:
    require(ctx.sender == "contract:proposal", "parameter.caller: propose it and have it approved")


def require_page(offset: int, limit: int) -> None:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "parameter.page: ask for 1 to 100 from 0 up")


def kept_terms() -> list[Term]:
    """The term in force and those to come: what ran before is in the states of its heights."""
    found = terms.get()
    while len(found) > 1 and found[1].from_height <= ctx.height:
        del found[0]
    return found


def in_force() -> Term:
    return kept_terms()[0]


def next_term() -> Term | None:
    kept = kept_terms()
    return kept[1] if len(kept) > 1 else None


def earliest() -> int:
    """No height below it may change its rules any more: it can be in flight already."""
    return ctx.height + view_contract("governance", "window", returns=int) + 1


def term_after(values: list[tuple[str, int]], not_before: int) -> Term:
    """The term that a change leads to, or a refusal."""
    kept = kept_terms()
    last = kept[-1]
    require(len(kept) <= COMING_MAX, "parameter.coming: wait until a scheduled change is in force")
    require(
        0 <= not_before <= ctx.height + LEAD_MAX,
        "parameter.not_before: give a height within the next 100 million, or 0 for the earliest",
    )
    from_height = max(not_before, earliest())
    require(
        from_height > last.from_height,
        "parameter.order: a later change is decided on; cancel it, or name a height above its own",
    )
    require(1 <= len(values) <= len(PARAMETERS), "parameter.values: change 1 to 7 of them")
    changed: list[tuple[str, int]] = []
    for name, before in last.values:
        changed.append((name, value_in(values, name) if is_in(name, values) else before))
    for place, (name, wanted) in enumerate(values):
        require_value(name, wanted)
        require(not is_in(name, values[:place]), "parameter.twice: name each parameter once")
    require(changed != last.values, "parameter.same: these are the values of the last term")
    require(
        value_in(changed, "transaction_size_max") <= value_in(changed, "block_size_max"),
        "parameter.size: a block must hold the largest transaction; change both",
    )
    require(
        value_in(changed, "transaction_gas_max") <= value_in(changed, "block_gas_max"),
        "parameter.gas: a block must hold the dearest transaction; change both",
    )
    return Term(from_height, changed)


def require_value(name: str, wanted: int) -> None:
    for known, least, most in PARAMETERS:
        if known == name:
            require(
                least <= wanted <= most_of(name, most),
                "parameter.value: keep between least and most, see `shuxin parameter list`",
            )
            return
    fail("parameter.unknown: name one that `shuxin parameter list` shows")


def most_of(name: str, most: int) -> int:
    """Clients hold by the genesis how old the newest block may be: so heartbeats never slow down
    beyond it."""
    return min(most, heartbeat_founded.get()) if name == "heartbeat_ms" else most


def is_in(name: str, values: list[tuple[str, int]]) -> bool:
    return name in [one for one, _value in values]


def value_in(values: list[tuple[str, int]], name: str) -> int:
    for one, found in values:
        if one == name:
            return found
    fail("parameter.unknown: name one that `shuxin parameter list` shows")


def cancellable(from_height: int) -> int:
    """The number of the change that is scheduled last, for that height; or a refusal."""
    found = terms.get()
    require(
        len(found) > 1 and found[-1].from_height == from_height,
        "parameter.not_last: name the height of the change that comes last",
    )
    require(
        from_height >= earliest(),
        "parameter.in_flight: blocks may be on their way by it; propose another change",
    )
    return change_by_height[from_height]


def as_of_now(found: Change, begun: int) -> Change:
    """The change as it stands while the term holds that began at `begun`."""
    if found.status == "cancelled" or found.from_height > begun:
        return found
    return replace(found, status="in_force" if found.from_height == begun else "superseded")
