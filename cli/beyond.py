"""What a grant allows, where a contract refused what it does not: the words for a new grant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from cli.language import say
from cli.literals import ID
from cli.readable import shortened

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Key, Value

_WORD: Final = re.compile(r"[a-z0-9_./\-]{1,64}")


class _Bound(NamedTuple):
    """The list of a grant that binds something, and the option of a request that fills it."""

    field: str
    option: str


BOUNDS: Final[Mapping[str, _Bound]] = {
    "grant.algorithm": _Bound("algorithms", "--algorithm"),
    "grant.dataset": _Bound("datasets", "--dataset"),
    "product.beyond": _Bound("outputs", "--output-kind"),
}
RECEIVER: Final = "risk.receiver"


def of_grant(session: Session, code: str, given: Mapping[str, Value]) -> str:
    """What the grant says of what was refused; "" for other refusals. Raises ClientError."""
    if code != RECEIVER and code not in BOUNDS:
        return ""
    grant_id = _grant_id(session, given)
    grant = session.view("grant", "show", grant_id) if grant_id else None
    if not isinstance(grant, dict):
        return ""
    if code == RECEIVER:
        return _receiver(session, grant_id, grant, given)
    bound = BOUNDS[code]
    allowed = _texts(grant.get(bound.field))
    beyond = sorted({one for one in _wanted(code, given) if one not in allowed})
    if not beyond:
        return ""
    demand = grant.get("demand_id")
    # People run what they read here: only what is an id stands in a command.
    is_id = isinstance(demand, str) and ID.fullmatch(demand)
    named = " ".join(f"{bound.option} {one if _WORD.fullmatch(one) else '…'}" for one in beyond)
    return say(
        "grant {id} allows {allowed}, not {beyond}; ask for a new grant: "
        "shuxin grant request … --demand {demand} {named}",
        id=grant_id,
        allowed=_listed(allowed),
        beyond=_listed(beyond),
        demand=demand if is_id else "…",
        named=named,
    )


def _receiver(
    session: Session, grant_id: str, grant: Mapping[Key, Value], given: Mapping[str, Value]
) -> str:
    """Whose keys the results were to be sealed to, beside the two sides."""
    from ledger.model import PUBLIC_KEY_SIZE, address_of

    sides = _texts([grant.get("operator"), grant.get("consumer")])
    keys = [given.get("receiver_key"), *[step.get("receiver_key") for step in _steps(given)]]
    owners = [
        session.view("parties", "party_of", address_of(key))
        for key in dict.fromkeys(key for key in keys if isinstance(key, bytes))
        if len(key) == PUBLIC_KEY_SIZE
    ]
    others = [one for one in _texts(owners) if one and one not in sides]
    if not others:
        return ""
    return say(
        "the receiver is a key of {others}; grant {id} is between {sides}",
        others=_listed(others),
        id=grant_id,
        sides=_listed(sides),
    )


def _grant_id(session: Session, given: Mapping[str, Value]) -> str:
    """Of the grant that the call names, or that the task it names was made under."""
    named = given.get("grant_id")
    if named is None and isinstance(task_id := given.get("task_id"), str):
        file = session.view("task", "show", task_id)
        task = file.get("task") if isinstance(file, dict) else None
        named = task.get("grant_id") if isinstance(task, dict) else None
    return named if isinstance(named, str) and ID.fullmatch(named) else ""


def _wanted(code: str, given: Mapping[str, Value]) -> Iterator[str]:
    """What the call asked for: a product, a task, or a plan of several steps."""
    if code == "product.beyond":
        yield from _texts([given.get("output")])
    elif code == "grant.algorithm":
        yield from _texts([given.get("algorithm")])
        yield from _texts([step.get("component") for step in _steps(given)])
    else:
        for one in (given, *_steps(given)):
            pairs = one.get("participants")
            for pair in pairs if isinstance(pairs, list) else ():
                yield from _texts(pair[1:] if isinstance(pair, list | tuple) else ())


def _steps(given: Mapping[str, Value]) -> list[dict[str, Value]]:
    steps = given.get("steps")
    return [
        {str(name): value for name, value in step.items()}
        for step in (steps if isinstance(steps, list) else ())
        if isinstance(step, dict)
    ]


def _texts(values: object) -> list[str]:
    items = values if isinstance(values, list | tuple) else ()
    return [item for item in items if isinstance(item, str)]


def _listed(words: list[str]) -> str:
    """Names that somebody wrote, on one line and cut short."""
    return shortened(" ".join(", ".join(words).split()))
