"""How many must be for a proposal, by its kind (8.1.3, 8.1.5).

A policy asks for so many managers and for a share of the organizations, one vote each; says whether
a manager's no ends the vote, and how long people have. As the chain begins, every kind needs one
manager and a quorum of the organizations. The contract `proposal` goes by the policy in force at
each vote, and has policies changed.

Nobody can shut the others out by a policy. How policies themselves change is fixed: one manager and
a quorum, as many as it takes to order blocks; so whatever a policy asks for can be undone by those
who keep the chain alive. And no policy for who orders the chain, by which rules, or whose roots
count takes less than that.
"""

from __future__ import annotations

from contracts.dialect import Map, call, ctx, emit, fail, record, require, view

# Kind, does it take a manager and a quorum at the least?
KINDS = (
    ("admit_observer", False),
    ("dismiss_observer", False),
    ("add_validator", True),
    ("remove_validator", True),
    ("expel_validator", True),
    ("replace_validator", True),
    ("admit_root", True),
    ("retire_root", True),
    ("change_engine", True),
    ("cancel_engine", True),
    ("change_parameters", True),
    ("cancel_parameters", True),
    ("switch_feature", False),
    ("cancel_feature", False),
    ("change_policy", True),
)
FIXED = "change_policy"
MANAGERS_MAX = 8  # a slip of the pen must not ask for more than a consortium has
DAY_MS = 24 * 3600 * 1000
TERM_MS = 7 * DAY_MS  # people have a week to decide
TERM_MS_MIN = 3600 * 1000  # an hour, for emergencies: less, and nobody hears of it in time
TERM_MS_MAX = 90 * DAY_MS  # a quarter: what is open longer was forgotten
PAGE_MAX = 100  # policies in one answer


@record
class Policy:
    """What a proposal of this kind needs."""

    kind: str
    managers: int  # that must be for it
    share: int  # percent of the organizations that must be for it; 0: a quorum
    is_guarded: bool  # never less than a quorum, whatever the share
    has_veto: bool  # a manager's no ends the vote
    term_ms: int  # from the proposal to the end of the vote
    proposal_id: str = ""  # that decided it; "" if it is as the chain began


policies = Map(str, Policy)


@call
def change(
    proposal_id: str, kind: str, managers: int, share: int, has_veto: bool, term_ms: int
) -> None:
    """Another policy for a kind, from the next vote on; for approved proposals alone."""
    require(ctx.sender == "contract:proposal", "policy.caller: propose it and have it approved")
    require_policy(kind, managers, share, term_ms)
    guarded = is_guarded(kind)
    policies[kind] = Policy(kind, managers, share, guarded, has_veto, term_ms, proposal_id)
    emit(
        "PolicyChanged",
        proposal_id=proposal_id,
        kind=kind,
        managers=managers,
        share=share,
        has_veto=has_veto,
        term_ms=term_ms,
    )


@view
def show(kind: str) -> Policy:
    """What a proposal of this kind needs now; anyone may read it."""
    return in_force(kind, is_guarded(kind))


@view
def list_(offset: int, limit: int) -> list[Policy]:
    """The policies of all kinds, in the order of KINDS; anyone may read them."""
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "policy.page: ask for 1 to 100 from 0 up")
    return [
        in_force(kind, guarded)
        for place, (kind, guarded) in enumerate(KINDS)
        if offset <= place < offset + limit
    ]


@view
def check(kind: str, managers: int, share: int, term_ms: int) -> bool:
    """True, or a refusal that says why there is no such policy; for other contracts."""
    require_policy(kind, managers, share, term_ms)
    return True


def in_force(kind: str, guarded: bool) -> Policy:
    return policies.get(kind, Policy(kind, 1, 0, guarded, True, TERM_MS))


def is_guarded(kind: str) -> bool:
    for known, guarded in KINDS:
        if known == kind:
            return guarded
    fail("policy.kind: name a kind that `shuxin policy list` shows")


def require_policy(kind: str, managers: int, share: int, term_ms: int) -> None:
    guarded = is_guarded(kind)
    require(kind != FIXED, "policy.fixed: a manager and a quorum change policies, for good")
    require(0 <= managers <= MANAGERS_MAX, "policy.managers: ask for 0 to 8 managers")
    require(managers > 0 or not guarded, "policy.manager: this kind needs a manager")
    require(0 <= share <= 100, "policy.share: give 0 to 100 percent; 0 is a quorum")
    require(
        TERM_MS_MIN <= term_ms <= TERM_MS_MAX,
        "policy.term: give people an hour to 90 days to decide",
    )
