"""Section 8.6.1 and the tables of docs/oversight.md as plain records: who may do what, and when.

For tests that compare the contracts of oversight with it; it knows nothing of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ROLES = {"bureau": "manager", "board": "manager", "opco": "operator", "rival": "operator",
         "health": "supplier", "insurer": "consumer", "chipworks": "tech_provider",
         "devhouse": "developer"}  # fmt: skip
# In whose stages a role is supervised at all, by a manager (8.6.1b, 6.6.1b).
STAGES_OF = {
    "manager": (),
    "operator": ("authorization", "development", "delivery"),
    "supplier": ("aggregation",),
    "consumer": ("delivery",),
    "tech_provider": ("authorization", "development", "delivery"),
    "developer": ("authorization", "development", "delivery"),
}
STAGES = ("aggregation", "authorization", "development", "delivery")
SEVERITIES = ("notice", "warning", "critical")
NEXT = {
    "engagement": {"selected": {"approved", "refused", "ended"}, "approved": {"ended"}},
    "alert": {"open": {"acknowledged", "closed"}, "acknowledged": {"closed"}},
    "incident": {"open": {"contained", "closed"}, "contained": {"closed"}},
    "measure": {"active": {"lifted", "kept"}, "kept": {"lifted"}},
    "inquiry": {"asked": {"answered", "withdrawn"}, "answered": {"asked", "concluded"}},
    "evaluation": {"published": {"accepted", "contested"}, "contested": {"settled"}},
}


@dataclass
class Engagement:
    operator: str
    party: str
    status: str = "selected"


@dataclass
class Alert:
    topic: str  # of a report, or the check
    party: str
    reporter: str
    stage: str
    severity: str
    last_ms: int
    count: int = 1
    status: str = "open"
    closed_ms: int = 0

    def is_quiet(self, now_ms: int) -> bool:
        """What was found is told again an hour later, and a day after it was dealt with."""
        hours, since_ms = (24, self.closed_ms) if self.status == "closed" else (1, self.last_ms)
        return now_ms < since_ms + hours * 3_600_000


@dataclass
class Measure:
    kind: str
    party: str
    status: str = "active"


@dataclass
class Incident:
    party: str
    stage: str
    measures: list[Measure] = field(default_factory=list)
    is_closed: bool = False

    @property
    def status(self) -> str:
        if self.is_closed:
            return "closed"
        return "contained" if self.measures else "open"


@dataclass
class Inquiry:
    asker: str
    party: str
    status: str = "asked"


@dataclass
class Evaluation:
    evaluator: str
    party: str
    end_ms: int
    status: str = "published"


@dataclass
class Model:
    """All records, who is suspended, and where the one grant stands."""

    suspended: set[str] = field(default_factory=set)
    # Party, or grant g1 -> the measures that hold its suspension now.
    holds: dict[str, list[Measure]] = field(default_factory=dict)
    grant: str = "active"
    engagements: list[Engagement] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    inquiries: list[Inquiry] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    def is_manager(self, who: str) -> bool:
        return ROLES[who] == "manager" and who not in self.suspended

    def employs(self, who: str, party: str) -> bool:
        return who not in self.suspended and any(
            (one.operator, one.party, one.status) == (who, party, "approved")
            for one in self.engagements
        )

    def supervises(self, who: str, party: str, stage: str = "") -> bool:
        watched = STAGES_OF[ROLES[party]]
        if stage and stage not in watched:
            return False
        return who != party and bool(watched) and (
            self.is_manager(who) or self.employs(who, party)
        )  # fmt: skip

    def is_own(self, who: str, party: str) -> bool:
        return who == party and who not in self.suspended

    def release(self, target: str, taken: Measure) -> None:
        """Only what this very measure held, and only if no other one holds it still: a manager may
        have decided otherwise since then."""
        held = self.holds.get(target, [])
        left = [one for one in held if one is not taken]
        if len(left) == len(held):
            return
        self.holds[target] = left
        if not left:
            del self.holds[target]
            self.suspended.discard(target)
            if target == "g1" and self.grant == "suspended":
                self.grant = "active"
