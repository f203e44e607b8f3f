"""Who supervises whom, in which stage (clauses 8.6.1, 6.6.1b, 6.6.2b).

The edges of 8.6.1 are between roles: a manager supervises suppliers in aggregation, operators in
authorization, development and delivery, consumers in what they do with what was delivered; and it
reviews the tech providers and developers that an operator selects. An operator supervises those
that it selected itself, once a manager passed them. A party never supervises itself. The
contracts `alert`, `incident`, `inquiry` and `evaluation` ask here, and nowhere else.

States of an engagement: selected -> approved | refused; selected or approved -> ended. That of a
party whose application the operator sponsored begins approved: the manager that admitted it passed
both by one act (contract `admission`).
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

# Role that supervises, role that is supervised, stage.
EDGES = (
    ("manager", "supplier", "aggregation"),
    ("manager", "operator", "authorization"),
    ("manager", "operator", "development"),
    ("manager", "operator", "delivery"),
    ("manager", "consumer", "delivery"),
    ("manager", "tech_provider", "authorization"),
    ("manager", "tech_provider", "development"),
    ("manager", "tech_provider", "delivery"),
    ("manager", "developer", "authorization"),
    ("manager", "developer", "development"),
    ("manager", "developer", "delivery"),
    ("operator", "tech_provider", "authorization"),
    ("operator", "tech_provider", "development"),
    ("operator", "tech_provider", "delivery"),
    ("operator", "developer", "authorization"),
    ("operator", "developer", "development"),
    ("operator", "developer", "delivery"),
)
SELECTED_ROLES = ("tech_provider", "developer")
NOTE_MAX = 1024  # characters
PAGE_MAX = 100  # engagements in one answer


@record
class Engagement:
    """A tech provider or developer that works for an operator."""

    id: str
    operator: str
    party: str
    note: str
    selected_ms: int
    status: str = "selected"
    manager: str = ""  # party that reviewed it
    reason: str = ""  # of its last change


@record
class Edge:
    """One line of 8.6.1."""

    supervisor: str  # role
    supervised: str  # role
    stage: str


engagements = Map(str, Engagement)
current = Map((str, str), str)  # operator, party -> the engagement that is not over
engagement_by_number = Map(int, str)
engagement_count = Var(int)


@call
def select(engagement_id: str, party_id: str, note: str) -> None:
    """An operator selects a tech provider or developer (6.6.2b)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "oversight.role: sign with an account of an active operator")
    require(party_id != operator, "oversight.self: a party never supervises itself")
    roles = roles_of(party_id)
    require(
        "tech_provider" in roles or "developer" in roles,
        "oversight.selected: select a tech provider or a developer",
    )
    require_not_revoked(party_id)
    enter(Engagement(engagement_id, operator, party_id, note, ctx.time_ms))


@call
def engage(
    engagement_id: str, operator: str, party_id: str, manager: str, selected_ms: int, reason: str
) -> None:
    """Whom an operator sponsored works for it from its admission on; for `admission` alone."""
    require(
        ctx.sender == "contract:admission", "oversight.engage: select the party, as it is there"
    )
    selected = Engagement(engagement_id, operator, party_id, "", selected_ms)
    enter(selected)
    settle(selected, True, manager, reason)


@call
def review(engagement_id: str, passed: bool, reason: str) -> None:
    """The manager passes or refuses whom an operator selected (6.6.1b)."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "oversight.role: sign with an account of an active manager")
    found = known(engagement_id)
    require(
        manager not in (found.operator, found.party),
        "oversight.self: another manager reviews its own engagement",
    )
    require(found.status == "selected", "oversight.status: it has been reviewed or is over")
    require(passed or reason != "", "oversight.reason: say why it is refused")
    require(len(reason) <= NOTE_MAX, "oversight.reason: use up to 1024 characters")
    if passed:
        require_not_revoked(found.party)
    settle(found, passed, manager, reason)


@call
def end(engagement_id: str, reason: str) -> None:
    """Its operator or a manager ends an engagement, and the operator's supervision with it."""
    found = known(engagement_id)
    sender = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        sender != "" and (sender == found.operator or has_role(sender, "manager")),
        "oversight.role: its operator or a manager ends an engagement",
    )
    require(
        found.status == "selected" or found.status == "approved", "oversight.status: it is over"
    )
    require(1 <= len(reason) <= NOTE_MAX, "oversight.reason: give a reason of 1 to 1024 characters")
    engagements[engagement_id] = replace(found, status="ended", reason=reason)
    del current[found.operator, found.party]
    emit(
        "EngagementEnded",
        engagement_id=engagement_id,
        operator=found.operator,
        party_id=found.party,
        reason=reason,
    )


@view
def show(engagement_id: str) -> Engagement:
    """One engagement."""
    require_reader()
    return known(engagement_id)


@view
def list_(offset: int, limit: int) -> list[Engagement]:
    """Engagements in the order in which they were made."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "oversight.page: ask for 1 to 100 from 0 up")
    last = min(offset + limit, engagement_count.get(0))
    return [engagements[engagement_by_number[number]] for number in range(offset, last)]


@view
def edges() -> list[Edge]:
    """The lines of 8.6.1, as this contract keeps them."""
    return [Edge(supervisor, supervised, stage) for supervisor, supervised, stage in EDGES]


@view
def supervises(supervisor_party: str, party_id: str, stage: str) -> bool:
    """Does an active party supervise another one in a stage ("" for any)? A suspended party is
    supervised like an active one."""
    return is_over(supervisor_party, party_id, stage)


@view
def is_supervised(party_id: str, stage: str) -> bool:
    """Is there an edge by which anybody supervises the party in this stage?"""
    roles = roles_of(party_id)
    for _supervisor, supervised, of_stage in EDGES:
        if supervised in roles and stage == of_stage:
            return True
    return False


@view
def engagement_of(operator: str, party_id: str) -> str:
    """The approved engagement by which a party works for an active operator now; "" if there is
    none. For other contracts."""
    return current[operator, party_id] if is_engaged(operator, party_id) else ""


@view
def may_cut(supervisor_party: str, party_id: str) -> bool:
    """May the one suspend the other in an emergency? A manager whom it supervises; an operator who
    is a tech provider or developer of its own, and nothing else."""
    if not is_over(supervisor_party, party_id, ""):
        return False
    if has_role(supervisor_party, "manager"):
        return True
    others = [role for role in roles_of(party_id) if role not in SELECTED_ROLES]
    return len(others) == 0


def enter(new: Engagement) -> None:
    require(is_name(new.id), "oversight.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(new.id not in engagements, "oversight.exists: choose another id")
    require(len(new.note) <= NOTE_MAX, "oversight.note: use up to 1024 characters")
    require((new.operator, new.party) not in current, "oversight.engaged: end the engagement first")
    engagements[new.id] = new
    current[new.operator, new.party] = new.id
    number = engagement_count.get(0)
    engagement_by_number[number] = new.id
    engagement_count.set(number + 1)
    emit("Selected", engagement_id=new.id, operator=new.operator, party_id=new.party)


def settle(found: Engagement, passed: bool, manager: str, reason: str) -> None:
    """Puts a review on record."""
    status = "approved" if passed else "refused"
    engagements[found.id] = replace(found, status=status, manager=manager, reason=reason)
    if not passed:
        del current[found.operator, found.party]
    emit(
        "EngagementReviewed",
        engagement_id=found.id,
        manager=manager,
        party_id=found.party,
        passed=passed,
    )


def is_over(supervisor_party: str, party_id: str, stage: str) -> bool:
    if supervisor_party == "" or supervisor_party == party_id:
        return False
    roles = roles_of(party_id)
    acting: list[str] = []  # roles in which the one supervises the other
    if has_role(supervisor_party, "manager"):
        acting.append("manager")
    if is_engaged(supervisor_party, party_id):
        acting.append("operator")
    for supervisor, supervised, of_stage in EDGES:
        is_edge = supervisor in acting and supervised in roles
        if is_edge and (stage == "" or stage == of_stage):
            return True
    return False


def is_engaged(operator: str, party_id: str) -> bool:
    engagement_id = current.get((operator, party_id), "")
    if engagement_id == "" or engagements[engagement_id].status != "approved":
        return False
    return has_role(operator, "operator")


def has_role(party_id: str, role: str) -> bool:
    return view_contract("parties", "party_has_role", party_id, role, returns=bool)


def roles_of(party_id: str) -> list[str]:
    return view_contract("parties", "roles_of", party_id, returns=list[str])


def require_not_revoked(party_id: str) -> None:
    is_revoked = view_contract("parties", "is_revoked", party_id, returns=bool)
    require(not is_revoked, "oversight.revoked: the party is revoked for good; select another")


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "oversight.reader: sign with an account of an active party")


def known(engagement_id: str) -> Engagement:
    found = engagements.get(engagement_id)
    if found is None:
        fail("oversight.unknown: no engagement has this id; look for it with `list`")
    return found
