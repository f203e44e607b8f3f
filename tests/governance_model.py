"""The rules of governance as a person would write them down; nothing of contracts or the VM.

Who may act, when a vote is complete, who has to confirm, which committee follows, and which
engines, parameters, features and policies hold at which heights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.genesis import Limits
from tests.business import HOUR_MS
from tests.council import CONFIRM_MS, FOUNDERS, WEEK_MS, WINDOW

MANAGERS = ("bureau", "board")
OTHERS = {"node-bank": "bank", "node-civil": "civil", "node-rival": "rival", "node-opco-2": "opco"}
NODES = (*FOUNDERS, *OTHERS)
ENTERING = ("add_validator", "replace_validator")
CHANGES = (*ENTERING, "remove_validator", "expel_validator")  # of the committee
OBSERVERS = ("admit_observer", "dismiss_observer")
# What no policy hands to less than a manager and a quorum.
GUARDED = (*CHANGES, "change_engine", "cancel_engine", "change_parameters", "cancel_parameters",
           "change_policy")  # fmt: skip
KINDS = (*OBSERVERS, *GUARDED, "switch_feature", "cancel_feature")
FIXED = "change_policy"
FOUNDED: Mapping[str, int] = {
    name: getattr(Limits(), name)
    for name in Limits.__struct_fields__
    if name not in ("valid_window", "watermark_window")
}
BOUNDS = {
    "time_skew_ms_max": (4000, 30_000),
    "heartbeat_ms": (1000, 60_000),
    "block_gas_max": (50_000_000, 800_000_000),
    "transaction_gas_max": (50_000_000, 80_000_000),
}
COMING_MAX = 8


def quorum(size: int) -> int:
    return (size + (size - 1) // 3 + 2) // 2


@dataclass(frozen=True)
class Policy:
    managers: int = 1
    share: int = 0
    has_veto: bool = True
    term_ms: int = WEEK_MS

    def needed(self, kind: str, size: int) -> int:
        """So many of `size` organizations decide."""
        if kind in GUARDED or self.share == 0:
            return max(quorum(size), -(-size * self.share // 100))
        return -(-size * self.share // 100)


@dataclass
class Wish:
    """A proposal as the model sees it; what its kind is not about is left out."""

    kind: str
    proposer: str
    node: str = ""
    successor: str = ""
    values: tuple[tuple[str, int], ...] = ()
    height: int = 0
    subject: str = ""
    on: bool = False
    policy: Policy = Policy()
    engine: tuple[int, str] = (0, "")  # its language and its name
    about: int | str | None = None  # which change a cancellation takes back, once it is proposed
    expires_ms: int = 0
    approvals: list[str] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    status: str = "open"


@dataclass
class Awaited:
    number: int
    members: list[str]
    entering: set[str]
    expires_ms: int
    confirmed: set[str] = field(default_factory=set)


class Parameters:
    def __init__(self) -> None:
        self.terms: list[tuple[int, dict[str, int]]] = [(0, dict(FOUNDED))]
        self.changes: list[tuple[int, bool]] = []  # from which height; was it cancelled?

    def after(self, wish: Wish, height: int) -> tuple[int, dict[str, int]] | None:
        """The term that a change leads to; None if there is none."""
        last, before = self.terms[-1]
        from_height = max(wish.height, height + WINDOW + 1)
        values = before | dict(wish.values)
        names = [name for name, _value in wish.values]
        is_sound = (
            from_height > last
            and values != before
            and len(set(names)) == len(names) > 0
            and all(name in BOUNDS for name in names)
            and all(BOUNDS[name][0] <= value <= BOUNDS[name][1] for name, value in wish.values)
            and values["transaction_gas_max"] <= values["block_gas_max"]
        )
        return (from_height, values) if is_sound else None

    def can_be_cancelled(self, from_height: int, height: int) -> bool:
        last = self.terms[-1][0]
        return len(self.terms) > 1 and last == from_height > height + WINDOW

    def coming(self, height: int) -> int:
        return sum(1 for from_height, _values in self.terms if from_height > height)

    def at(self, height: int) -> dict[str, int]:
        return next(values for begun, values in reversed(self.terms) if begun <= height)

    def history(self, height: int) -> list[str]:
        """What became of each change."""
        begun = max(begun for begun, _values in self.terms if begun <= height)
        return [
            "cancelled"
            if is_cancelled
            else "scheduled"
            if from_height > height
            else "in_force"
            if from_height == begun
            else "superseded"
            for from_height, is_cancelled in self.changes
        ]


class Features:
    def __init__(self) -> None:
        names = ("member_applications", "grant_channels", "sealed_evidence")
        self.known = dict.fromkeys(names, (True, True, 0))  # before, after, from which height

    def is_on(self, name: str, height: int) -> bool:
        before, after, from_height = self.known.get(name, (False, False, 0))
        return after if height >= from_height else before

    def is_pending(self, name: str, height: int) -> bool:
        return name in self.known and self.known[name][2] > height

    def can_be_switched(self, wish: Wish, height: int) -> bool:
        is_same = self.is_on(wish.subject, height) is wish.on
        return not is_same and not self.is_pending(wish.subject, height)


class Model:
    """All of it, and how it is voted on."""

    def __init__(self, engine: tuple[int, str]) -> None:
        self.members = list(FOUNDERS)
        self.before = list(FOUNDERS)
        self.first_height = 1
        self.status = dict.fromkeys(FOUNDERS, "validator")
        self.address = dict.fromkeys(NODES, "")
        self.party = {node: node.removeprefix("node-") for node in FOUNDERS} | OTHERS
        self.wishes: list[Wish] = []
        self.awaited: Awaited | None = None
        self.suspended: set[str] = set()
        self.parameters = Parameters()
        self.features = Features()
        self.policies: dict[str, Policy] = {}
        self.engines: list[tuple[int, tuple[int, str]]] = [(0, engine)]
        self.decided: Counter[str] = Counter()  # how often a proposal of each kind came true

    # --- who votes --------------------------------------------------------------------------------

    def organizations(self, height: int) -> list[str]:
        serving = self.members if height >= self.first_height else self.before
        return list(dict.fromkeys(self.party[node] for node in serving))

    def may_vote(self, party: str, height: int) -> bool:
        if party in self.suspended:
            return False
        return party in MANAGERS or party in self.organizations(height)

    def policy(self, kind: str) -> Policy:
        return self.policies.get(kind, Policy())

    def expire(self, now_ms: int) -> None:
        for wish in self.wishes:
            if wish.status == "open" and now_ms >= wish.expires_ms:
                wish.status = "expired"
        if self.awaited and now_ms >= self.awaited.expires_ms:
            self.wishes[self.awaited.number].status = "lapsed"
            self.awaited = None

    def is_complete(self, wish: Wish, height: int) -> bool:
        policy, voters = self.policy(wish.kind), self.organizations(height)
        in_standing = [party for party in wish.approvals if party not in self.suspended]
        good = [party for party in voters if party in in_standing]
        managers = [party for party in in_standing if party in MANAGERS]
        is_enough = len(good) >= policy.needed(wish.kind, len(voters))
        return is_enough and len(managers) >= policy.managers

    def reject(self, wish: Wish, party: str, height: int) -> None:
        wish.rejections.append(party)
        policy, voters = self.policy(wish.kind), self.organizations(height)
        left = [one for one in voters if one not in wish.rejections]
        is_vetoed = policy.has_veto and party in MANAGERS
        if is_vetoed or len(left) < policy.needed(wish.kind, len(voters)):
            wish.status = "rejected"

    # --- what can be ------------------------------------------------------------------------------

    def after(self, wish: Wish, height: int) -> list[str] | None:
        """The committee that the change leads to; None if there is none."""
        if height < self.first_height or (wish.successor != "") != (
            wish.kind == "replace_validator"
        ):
            return None
        entering = wish.successor if wish.kind == "replace_validator" else wish.node
        if wish.kind in ENTERING and (
            self.status.get(entering) != "observer" or self.party[entering] in self.suspended
        ):
            return None
        members = list(self.members)
        if wish.kind == "add_validator":
            members.append(entering)
        elif wish.node not in members:
            return None
        elif wish.kind == "replace_validator":
            members[members.index(wish.node)] = entering
        else:
            members.remove(wish.node)
        return members if len(members) >= 4 else None

    def can_be(self, wish: Wish, height: int) -> bool:
        """May it be proposed, if the block at `height` has it?"""
        match wish.kind:
            case "admit_observer":
                is_known = wish.node in self.status
                return not is_known and self.party[wish.node] not in self.suspended
            case "dismiss_observer":
                return self.status.get(wish.node) == "observer" and wish.successor == ""
            case "change_engine":
                from_height, (language, before) = self.engines[-1]
                is_later = wish.height > max(from_height, height + WINDOW)
                return is_later and wish.engine[1] != before and wish.engine[0] >= language
            case "cancel_engine":
                is_last = wish.height == self.engines[-1][0] > height + WINDOW
                return is_last and wish.about in (None, self.about(wish))
            case "change_parameters":
                is_full = self.parameters.coming(height) >= COMING_MAX
                return not is_full and self.parameters.after(wish, height) is not None
            case "cancel_parameters":
                is_last = self.parameters.can_be_cancelled(wish.height, height)
                return is_last and wish.about in (None, self.about(wish))
            case "switch_feature":
                return self.features.can_be_switched(wish, height)
            case "cancel_feature":
                is_pending = self.features.is_pending(wish.subject, height)
                return is_pending and wish.about in (None, self.about(wish))
            case "change_policy":
                is_guarded = wish.subject in GUARDED
                is_free = wish.subject in KINDS and wish.subject != FIXED
                is_short = wish.policy.term_ms < HOUR_MS
                return is_free and not is_short and (wish.policy.managers > 0 or not is_guarded)
        return self.after(wish, height) is not None

    def about(self, wish: Wish) -> int | str | None:
        """Which change a cancellation would take back now: its engine, its number, or the height
        of the switch."""
        match wish.kind:
            case "cancel_engine":
                return self.engines[-1][1][1]
            case "cancel_parameters":
                changes = enumerate(self.parameters.changes)
                return max(number for number, (_first, is_over) in changes if not is_over)
            case "cancel_feature":
                return self.features.known[wish.subject][2]
        return None

    # --- what is done -----------------------------------------------------------------------------

    def settle(self, number: int, height: int, now_ms: int) -> bool:
        """Carry the proposal out if its vote is complete; False if that cannot be."""
        wish = self.wishes[number]
        if not self.is_complete(wish, height):
            return True
        if not self.can_be(wish, height):
            return False
        if wish.kind not in CHANGES:
            self.carry_out(wish, height)
            self.decided[wish.kind] += 1
            wish.status = "decided"
        elif self.awaited:
            return False
        else:
            members = self.after(wish, height)
            assert members is not None
            entering = set(members) - set(self.members)
            self.awaited = Awaited(number, members, entering, now_ms + CONFIRM_MS)
            wish.status = "approved"
        return True

    def carry_out(self, wish: Wish, height: int) -> None:
        """What needs no confirmations."""
        parameters, known = self.parameters, self.features.known
        match wish.kind:
            case "admit_observer":
                self.status[wish.node] = "observer"
            case "dismiss_observer":
                self.status[wish.node] = "dismissed"
                if self.awaited and wish.node in self.awaited.entering:
                    self.wishes[self.awaited.number].status = "lapsed"
                    self.awaited = None
            case "change_engine":
                self.engines.append((wish.height, wish.engine))
            case "cancel_engine":
                self.engines.pop()
            case "change_parameters":
                term = parameters.after(wish, height)
                assert term is not None
                parameters.terms.append(term)
                parameters.changes.append((term[0], False))
            case "cancel_parameters":
                cancelled = parameters.terms.pop()[0]
                place = parameters.changes.index((cancelled, False))
                parameters.changes[place] = (cancelled, True)
            case "switch_feature":
                before = self.features.is_on(wish.subject, height)
                known[wish.subject] = (before, wish.on, max(wish.height, height + 1))
            case "cancel_feature":
                before = known[wish.subject][0]
                known[wish.subject] = (before, before, height)
            case "change_policy":
                self.policies[wish.subject] = wish.policy

    def confirm(self, node: str, number: int, height: int) -> bool:
        awaited = self.awaited
        if awaited is None or awaited.number != number or node not in awaited.members:
            return False
        if node in awaited.confirmed:
            return False
        awaited.confirmed.add(node)
        if len(awaited.confirmed) >= quorum(len(awaited.members)) and (
            awaited.entering <= awaited.confirmed
            and not any(self.party[node] in self.suspended for node in awaited.entering)
        ):
            self.seat(awaited, height)
        return True

    def seat(self, awaited: Awaited, height: int) -> None:
        wish = self.wishes[awaited.number]
        for node in awaited.entering:
            self.status[node] = "validator"
        for node in set(self.members) - set(awaited.members):
            self.status[node] = "dismissed" if wish.kind == "expel_validator" else "observer"
        self.before, self.members = self.members, awaited.members
        self.first_height = height + WINDOW + 1
        self.decided[wish.kind] += 1
        wish.status = "decided"
        self.awaited = None
