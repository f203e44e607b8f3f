"""What a manifest says: a network, a load, and what happens to it at which time.

Read strictly: an unknown field, a node that does not exist or more liars than the protocol
tolerates is an error before anything starts. Times are seconds after the load has begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from ledger.genesis import Limits

FOLDER: Final = Path(__file__).resolve().parent / "manifests"
MEMBERS_MIN: Final = 4  # of a committee (contracts/system/governance.py)
TAIL_S: Final = 6.0  # of load after the last event of a shortened manifest

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Duration: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=3600)]
# A name, or a role that is looked up when the event is due: `backup` is the live node that would
# propose last.
Target: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(primary|backup|node[0-9]{1,2})$")]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^node[0-9]{1,2}$")]


class ManifestInvalid(Exception):
    """The manifest cannot be run; says which file, and what to write instead."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a manifest."""


class NetworkEntry(Entry, frozen=True, kw_only=True):
    """Named in this order, from node0 on: validators, observers, spares.

    Observers are admitted before the load; spares are files until an event starts them.
    `limits` replaces single values of the genesis (`ledger.genesis.Limits`).
    """

    nodes: Annotated[int, msgspec.Meta(ge=4, le=23)] = 4
    observers: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    spares: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    limits: dict[str, Annotated[int, msgspec.Meta(gt=0)]] = msgspec.field(default_factory=dict)


class LoadEntry(Entry, frozen=True, kw_only=True):
    """`rate`: calls a second of all clients together, unless the network is slower."""

    clients: Annotated[int, msgspec.Meta(ge=1, le=64)] = 6
    rate: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 20.0
    kind: Literal["evidence", "long_evidence"] = "evidence"  # the second carries a full note


class Expectations(Entry, frozen=True, kw_only=True):
    """What is judged beside what always is (no fork, nothing lost, nobody wrongly accused)."""

    resume_s: Duration | None = None  # from a fault to the first commit of a later call
    silence_s: Duration | None = None  # the longest time without a commit, in the whole run
    accused: tuple[Name, ...] = ()  # whom a quorum of honest nodes must have proof against


class Event(Entry, frozen=True, kw_only=True, tag_field="kind"):
    """Something that happens `at_s`."""

    at_s: Seconds


class Kill(Event, frozen=True, kw_only=True, tag="kill"):
    """SIGKILL, `times` times, `every_s` apart. The supervisor restarts it unless `down`."""

    node: Target
    every_s: Duration = 10.0
    times: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    down: bool = False


class Pause(Event, frozen=True, kw_only=True, tag="pause"):
    """SIGSTOP, and SIGCONT `for_s` later."""

    node: Target
    for_s: Duration


class Restart(Event, frozen=True, kw_only=True, tag="restart"):
    """SIGTERM; the supervisor starts it again."""

    node: Target


class RollingRestart(Event, frozen=True, kw_only=True, tag="rolling_restart"):
    """SIGTERM to all, one after the other: the next when the last one serves and has caught up."""


class Disconnect(Event, frozen=True, kw_only=True, tag="disconnect"):
    """No packet passes between `nodes` and all others for `for_s`; clients reach everybody."""

    nodes: Annotated[tuple[Target, ...], msgspec.Meta(min_length=1)]
    for_s: Duration


class ClockSkew(Event, frozen=True, kw_only=True, tag="clock_skew"):
    """The node's clock jumps by `offset_s`, or stops; right again `for_s` later, if given."""

    node: Name
    offset_s: Annotated[float, msgspec.Meta(ge=-86_400, le=86_400)] = 0.0
    stopped: bool = False
    for_s: Duration | None = None


class Equivocate(Event, frozen=True, kw_only=True, tag="equivocate"):
    """As primary it signs two proposals for every height and votes for both, until the end."""

    node: Name


# Changes of the committee are carried out one after the other, each when the one before it is in
# force, while the rest of the manifest goes on; the load lasts until the last one is.
class AddValidator(Event, frozen=True, kw_only=True, tag="add_validator"):
    """A spare is started, admitted as an observer, and gets a vote once it has caught up."""

    node: Name


class Promote(Event, frozen=True, kw_only=True, tag="promote"):
    """An observer gets a vote."""

    node: Name


class RemoveValidator(Event, frozen=True, kw_only=True, tag="remove_validator"):
    """A node leaves the committee and has to follow as an observer."""

    node: Name


class ReplaceValidator(Event, frozen=True, kw_only=True, tag="replace_validator"):
    """A spare is started and admitted, and takes the place of `node`, which observes."""

    node: Name
    successor: Name


class ExpelValidator(Event, frozen=True, kw_only=True, tag="expel_validator"):
    """A node leaves the committee and is cut off; a liar only once the chain has the proof."""

    node: Name


AnyEvent: TypeAlias = (
    Kill
    | Pause
    | Restart
    | RollingRestart
    | Disconnect
    | ClockSkew
    | Equivocate
    | AddValidator
    | Promote
    | RemoveValidator
    | ReplaceValidator
    | ExpelValidator
)
CommitteeEvent: TypeAlias = (
    AddValidator | Promote | RemoveValidator | ReplaceValidator | ExpelValidator
)


@dataclass(frozen=True, slots=True)
class Seats:
    """Who is what, by the manifest's own account."""

    members: frozenset[str]
    observers: frozenset[str]
    spares: frozenset[str]
    expelled: frozenset[str] = frozenset()

    def after(self, event: CommitteeEvent) -> Seats:
        """Raises ValueError for a node that is not what the event needs."""
        members, observers, spares, expelled = (
            set(self.members), set(self.observers), set(self.spares), set(self.expelled)
        )  # fmt: skip
        match event:
            case AddValidator():
                _move(event.node, spares, members, "a spare")
            case Promote():
                _move(event.node, observers, members, "an observer")
            case RemoveValidator():
                _move(event.node, members, observers, "a validator")
            case ReplaceValidator():
                _move(event.successor, spares, members, "a spare")
                _move(event.node, members, observers, "a validator")
            case ExpelValidator():
                _move(event.node, members, expelled, "a validator")
        if len(members) < MEMBERS_MIN:
            raise ValueError(f"{event.node}: a committee has at least {MEMBERS_MIN} members")
        return Seats(*map(frozenset, (members, observers, spares, expelled)))


def _move(node: str, here: set[str], there: set[str], what: str) -> None:
    if node not in here:
        raise ValueError(f"{node} is not {what} then")
    here.remove(node)
    there.add(node)


class Manifest(Entry, frozen=True, kw_only=True):
    """One scenario. Raises ValueError for what fits no network."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    duration_s: Duration
    network: NetworkEntry = NetworkEntry()
    load: LoadEntry = LoadEntry()
    expect: Expectations = Expectations()
    events: tuple[AnyEvent, ...] = ()

    def __post_init__(self) -> None:
        known = self.everyone
        for name in sorted(set(self._named()) - set(known)):
            raise ValueError(f"{name}: the network has {known[0]} to {known[-1]}")
        for limit in sorted(set(self.network.limits) - set(Limits.__struct_fields__)):
            raise ValueError(f"{limit}: no limit of the genesis has this name")
        if len(self.liars) > self.fault_bound:
            raise ValueError(f"{len(self.liars)} liars, but {self.fault_bound} are tolerated")
        for step in self.timeline():
            if step.at_s >= self.duration_s:
                raise ValueError(f"an event at {step.at_s:g} s is not before the end of the load")
        _ = self.seats_at_end  # raises when an event does not fit

    @property
    def everyone(self) -> tuple[str, ...]:
        network = self.network
        return _names(0, network.nodes + network.observers + network.spares)

    @property
    def observers(self) -> tuple[str, ...]:
        """Those that are admitted before the load."""
        return _names(self.network.nodes, self.network.observers)

    @property
    def seats_at_start(self) -> Seats:
        network = self.network
        spares = _names(network.nodes + network.observers, network.spares)
        return Seats(
            frozenset(_names(0, network.nodes)), frozenset(self.observers), frozenset(spares)
        )

    @property
    def seats_at_end(self) -> Seats:
        seats = self.seats_at_start
        for event in self.committee_events:
            seats = seats.after(event)
        return seats

    @property
    def fault_bound(self) -> int:
        return (self.network.nodes - 1) // 3

    @property
    def liars(self) -> frozenset[str]:
        """Nodes whose word counts for nothing in the verdict."""
        return frozenset(event.node for event in self.events if isinstance(event, Equivocate))

    @property
    def launched(self) -> frozenset[str]:
        """Nodes that test code has to start, because it must change what they do."""
        return frozenset(
            event.node for event in self.events if isinstance(event, Equivocate | ClockSkew)
        )

    @property
    def is_partitioned(self) -> bool:
        return any(isinstance(event, Disconnect) for event in self.events)

    @property
    def committee_events(self) -> tuple[CommitteeEvent, ...]:
        """In the order in which they are due."""
        events = [event for event in self.events if isinstance(event, CommitteeEvent)]
        return tuple(sorted(events, key=lambda event: event.at_s))

    def timeline(self) -> list[Step]:
        """All beginnings and ends, in the order in which they are due."""
        return sorted(self._steps(), key=lambda step: step.at_s)

    def _steps(self) -> Iterator[Step]:
        for event in self.events:
            if isinstance(event, Kill):
                for number in range(event.times):
                    yield Step(event.at_s + number * event.every_s, event)
                continue
            yield Step(event.at_s, event)
            if isinstance(event, Pause | Disconnect | ClockSkew) and event.for_s is not None:
                yield Step(event.at_s + event.for_s, event, is_end=True)

    def _named(self) -> Iterator[str]:
        roles = ("primary", "backup")
        yield from self.expect.accused
        for event in self.events:
            match event:
                case RollingRestart():
                    continue
                case ReplaceValidator():
                    yield from (event.node, event.successor)
                case Disconnect():
                    yield from (name for name in event.nodes if name not in roles)
                case _:
                    if event.node not in roles:
                        yield event.node


def _names(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"node{index}" for index in range(first, first + count))


@dataclass(frozen=True, slots=True)
class Step:
    """The beginning or the end of an event."""

    at_s: float
    event: AnyEvent
    is_end: bool = False


def decode(text: str) -> Manifest:
    """Raises ManifestInvalid, naming the field."""
    try:
        return msgspec.toml.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestInvalid(str(error)) from None


def load(name: str) -> Manifest:
    """The manifest `name`.toml of this folder's `manifests`. Raises ManifestInvalid."""
    path = FOLDER / f"{name}.toml"
    try:
        return decode(path.read_text(encoding="utf-8"))
    except (OSError, ManifestInvalid) as error:
        raise ManifestInvalid(f"{path.name}: {error}") from None


def shortened(manifest: Manifest, *, times: int) -> Manifest:
    """The same, ending soon after its last event, with at most `times` of each of them.

    That is kills of one entry, and changes of the committee.
    """
    changes = manifest.committee_events[:times]
    events = tuple(
        msgspec.structs.replace(event, times=min(event.times, times))
        if isinstance(event, Kill)
        else event
        for event in manifest.events
        if event in changes or not isinstance(event, CommitteeEvent)
    )
    whole = msgspec.structs.replace(manifest, events=events)
    last = max((step.at_s for step in whole.timeline()), default=0.0)
    return msgspec.structs.replace(whole, duration_s=min(manifest.duration_s, last + TAIL_S))


EVENT_KINDS: Final = tuple(
    str(kind.__struct_config__.tag) for kind in get_args(AnyEvent)
)  # for the documentation's test
