"""Features: what contracts do only while the consortium wants it, by height (8.1.3, 8.1.5).

The contract `proposal` has a feature switched on or off from a height on, so that all parties know
beforehand and no block does both. Those that the system contracts ask for are known from the
genesis, and on. A contract of the members may ask for any other one, which is off until it is
switched: it can be deployed, read and tested before it is used. A feature is a switch of what
contracts do; nodes themselves go by the engine and the parameters of the height.

Features: as it was -> scheduled -> switched; scheduled -> cancelled.
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
    is_name,
    record,
    replace,
    require,
    view,
)

# Name, which contract asks for it.
KNOWN = (
    ("member_applications", "admission"),  # sponsors hand in applications
    ("grant_channels", "preapproval"),  # grants are drawn from approved channels at once
    ("sealed_evidence", "evidence"),  # payloads stand on chain, sealed to their readers
)
FEATURES_MAX = 256  # a bound on what can be listed
LEAD_MAX = 10**8  # heights: a switch may be announced some years ahead, not for ever
PAGE_MAX = 100  # features in one answer


@record
class Feature:
    """It is `before` at the heights below `from_height`, and `after` from there on."""

    name: str
    contract: str  # of the system that asks for it; "" if it is the members' own
    before: bool
    after: bool
    from_height: int
    proposal_id: str = ""  # that decided it last; "" if it stands as the chain began


features = Map(str, Feature)
name_by_number = Map(int, str)
feature_count = Var(int)


@init
def setup() -> None:
    """All features of the system are on."""
    for name, contract in KNOWN:
        enter(Feature(name, contract, True, True, 0))


@call
def switch(proposal_id: str, name: str, on: bool, not_before: int) -> int:
    """The height from which the feature is on, or off; for approved proposals alone."""
    require_proposal()
    found = switched(name, on, not_before)
    after = replace(found, proposal_id=proposal_id)
    if name in features:
        features[name] = after
    else:
        enter(after)
    emit(
        "FeatureScheduled",
        proposal_id=proposal_id,
        name=name,
        on=on,
        from_height=after.from_height,
    )
    return after.from_height


@call
def cancel(proposal_id: str, name: str, from_height: int) -> None:
    """The switch to come, at that height, does not happen; for approved proposals alone."""
    require_proposal()
    found = pending(name)
    # Another may have been decided since people were asked about that one.
    require(
        found.from_height == from_height,
        "feature.other: it is switched at another height by now; propose anew",
    )
    features[name] = replace(
        found, after=found.before, from_height=ctx.height, proposal_id=proposal_id
    )
    emit("FeatureCancelled", proposal_id=proposal_id, name=name, from_height=found.from_height)


@view
def is_on(name: str) -> bool:
    """Is it on at this height? For contracts, and for anyone; what nobody switched is off."""
    found = features.get(name)
    if found is None:
        return False
    return found.after if ctx.height >= found.from_height else found.before


@view
def show(name: str) -> Feature:
    """One feature; anyone may read it."""
    return known(name)


@view
def list_(offset: int, limit: int) -> list[Feature]:
    """Features in order of entry; anyone may read them."""
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "feature.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, feature_count.get())
    return [known(name_by_number[number]) for number in range(offset, end)]


@view
def check(name: str, on: bool, not_before: int) -> bool:
    """True, or a refusal that says why it cannot be switched so; for other contracts."""
    return switched(name, on, not_before).from_height > 0


@view
def check_cancel(name: str) -> int:
    """The height of the switch, or a refusal that says why there is none; for other contracts."""
    return pending(name).from_height


def require_proposal() -> None:
    require(ctx.sender == "contract:proposal", "feature.caller: propose it and have it approved")


def known(name: str) -> Feature:
    found = features.get(name)
    if found is None:
        fail("feature.unknown: look for it with `feature list`")
    return found


def pending(name: str) -> Feature:
    found = known(name)
    require(found.from_height > ctx.height, "feature.not_pending: it is as it is; propose a switch")
    return found


def switched(name: str, on: bool, not_before: int) -> Feature:
    """The feature as a switch leaves it, or a refusal."""
    require(is_name(name), "feature.name: use 1 to 64 characters of a-z 0-9 _ - .")
    require(
        0 <= not_before <= ctx.height + LEAD_MAX,
        "feature.not_before: give a height within the next 100 million, or 0 for the earliest",
    )
    from_height = max(not_before, ctx.height + 1)
    found = features.get(name)
    if found is None:
        require(on, "feature.same: it is off, as are all that nobody switched on")
        require(feature_count.get() < FEATURES_MAX, "feature.many: use one of those there are")
        return Feature(name, "", False, True, from_height)
    require(
        found.from_height <= ctx.height, "feature.pending: a switch is scheduled; cancel it first"
    )
    require(found.after != on, "feature.same: it is so already")
    return replace(found, before=found.after, after=on, from_height=from_height)


def enter(new: Feature) -> None:
    number = feature_count.get(0)
    features[new.name] = new
    name_by_number[number] = new.name
    feature_count.set(number + 1)
