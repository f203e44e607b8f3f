"""Rules and plans: what holds in each stage, and from when (clauses 8.6.2 to 8.6.5, a and b).

The manager writes the rules of a stage; the operator writes how it is monitored, when it is warned
of (from authorization on) and what is done in an emergency (from development on). The chain holds
title, version and the SM3 of the text, and a manager puts a version in force from a height on, so
that everybody can say which text held when. Nobody has to close what a later version supersedes.

A monitoring plan also sets limits for the risk checks of its stage. The contract `alert` judges by
the limits in force; a check that no plan names keeps its default, so no plan turns a check off.

States of a version: draft -> announced -> effective -> superseded | revoked; draft -> withdrawn.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
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

STAGES = ("aggregation", "authorization", "development", "delivery")
# Kind, the role that writes it, the first stage that asks for it.
KINDS = (
    ("rule", "manager", 0),
    ("monitoring", "operator", 0),
    ("warning", "operator", 1),
    ("emergency", "operator", 2),
)
SEVERITIES = ("notice", "warning", "critical")
# Check, stage, default limit, least and most limit, default severity. The unit is that of the
# check: days late, millionths of a figure or of a risk, percent of the rows or of the uses, hours,
# uses in a day, persons in a group; 1 where there is nothing to set.
CHECKS = (
    ("late_update", "aggregation", 1, 1, 3650, "notice"),
    ("collection_late", "aggregation", 1, 1, 3650, "notice"),
    ("quality_fallen", "aggregation", 50000, 1, 1000000, "warning"),
    ("quantity_fallen", "aggregation", 20, 1, 100, "warning"),
    ("quota_used", "authorization", 80, 1, 100, "warning"),
    ("expiry_near", "authorization", 168, 1, 8760, "notice"),
    ("unusual_rate", "development", 100, 1, 1000000, "warning"),
    ("work_unreported", "development", 1, 1, 3650, "warning"),
    ("work_overdue", "development", 1, 1, 3650, "notice"),
    ("asset_expiring", "development", 30, 1, 3650, "notice"),
    ("asset_expired", "development", 1, 1, 1, "critical"),
    ("task_broken", "development", 1, 1, 1, "warning"),
    ("task_mismatch", "development", 1, 1, 1, "critical"),
    ("purpose_mismatch", "development", 1, 1, 1, "critical"),
    ("identity_risk", "development", 50000, 1, 500000, "critical"),
    ("small_group", "development", 5, 2, 1000000, "critical"),
    ("no_diligence", "delivery", 1, 1, 1, "critical"),
    ("delivery_rejected", "delivery", 1, 1, 1, "warning"),
    ("delivery_unanswered", "delivery", 72, 1, 8760, "notice"),
    ("high_risk", "delivery", 1, 1, 1, "notice"),
    ("use_unreported", "delivery", 90, 1, 3650, "notice"),
    ("use_mismatch", "delivery", 1, 1, 1000, "critical"),
    ("bill_unanswered", "delivery", 168, 1, 8760, "notice"),
)
TITLE_MAX = 128  # characters
TEXT_MAX = 512  # characters of a reason, or of where the text is kept
DIGEST_SIZE = 32  # bytes: SM3
LEAD_MAX = 10**8  # heights: a version may be announced some years ahead, not for ever
PAGE_MAX = 100  # records in one answer


@record
class Rule:
    """A text of one kind for one stage. `title` and `status` are those of its latest enacted
    version, or of its draft as long as none was enacted."""

    id: str
    kind: str
    stage: str
    party: str  # that writes it
    title: str
    versions: int  # how many were drafted
    enacted: int = 0  # the latest version that a manager enacted; 0 if none
    status: str = "draft"
    reason: str = ""  # of its revocation


@record
class Version:
    """One text. It holds at the heights from `from_height` on and below `until_height`."""

    rule_id: str
    number: int
    title: str
    digest: bytes  # SM3 of the text
    location: str  # where parties find the text
    limits: list[tuple[str, int, str]]  # check, limit, severity
    drafted_ms: int
    status: str = "draft"
    manager: str = ""  # party that enacted it
    from_height: int = 0
    until_height: int = 0  # 0: until further notice
    before: int = 0  # the version that it supersedes; 0 if none


@record
class Limit:
    """By what a check judges now; `rule_id` is the plan that says so, "" for the default."""

    check: str
    stage: str
    limit: int
    severity: str
    rule_id: str = ""


rules = Map(str, Rule)
versions = Map((str, int), Version)
rule_by_number = Map((str, int), str)  # stage, or "" for all; number
rule_count = Map(str, int)
monitored_by = Map(str, str)  # stage -> the monitoring plan in force or announced


@call
def draft(
    rule_id: str,
    kind: str,
    stage: str,
    title: str,
    digest: bytes,
    location: str,
    limits: list[tuple[str, int, str]],
) -> None:
    """A manager's rule or an operator's plan, or its next version, is put up (8.6.2a to 8.6.5b)."""
    party = require_author(kind, stage)
    require(1 <= len(title) <= TITLE_MAX, "rules.title: use 1 to 128 characters")
    require(len(digest) == DIGEST_SIZE, "rules.digest: use 32 bytes of SM3")
    require(len(location) <= TEXT_MAX, "rules.location: use up to 512 characters")
    check_limits(kind, stage, limits)
    number = 1
    rule = rules.get(rule_id)
    if rule is None:
        require(is_name(rule_id), "rules.id: use 1 to 64 characters of a-z 0-9 _ - .")
        rules[rule_id] = Rule(rule_id, kind, stage, party, title, number)
        enlist("", rule_id)
        enlist(stage, rule_id)
    else:
        require(rule.party == party, "rules.owner: only the party that wrote it goes on with it")
        require(
            rule.kind == kind and rule.stage == stage, "rules.kind: a text keeps kind and stage"
        )
        require(rule.status != "revoked", "rules.revoked: write it under a new id")
        latest = versions[rule_id, rule.versions]
        require(latest.status != "draft", "rules.draft: withdraw the draft that waits first")
        number = rule.versions + 1
        rules[rule_id] = replace(
            rule,
            title=title if rule.enacted == 0 else rule.title,
            versions=number,
            status=drafted(rule),
        )
    versions[rule_id, number] = Version(
        rule_id, number, title, digest, location, limits, ctx.time_ms
    )
    emit(
        "RuleDrafted",
        rule_id=rule_id,
        kind=kind,
        stage=stage,
        number=number,
        party_id=party,
        digest=digest,
    )


@call
def withdraw(rule_id: str) -> None:
    """Its party takes the draft back."""
    rule = known(rule_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party == rule.party, "rules.owner: only the party that wrote it withdraws a draft")
    latest = require_draft(rule)
    versions[rule_id, latest.number] = replace(latest, status="withdrawn")
    if rule.enacted == 0:
        rules[rule_id] = replace(rule, status="withdrawn")
    emit("RuleWithdrawn", rule_id=rule_id, number=latest.number, party_id=party)


@call
def enact(rule_id: str, number: int, digest: bytes, from_height: int) -> None:
    """The manager puts the draft that it read, named by digest, in force from a height on."""
    manager = require_manager()
    rule = known(rule_id)
    # A rule is a manager's own word; who is monitored does not set the limits of it alone.
    is_others = rule.kind == "rule" or manager != rule.party
    require(is_others, "rules.self: another manager enacts your plan")
    latest = require_draft(rule)
    require(number == latest.number, "rules.number: enact the draft; see `show` for its number")
    require(digest == latest.digest, "rules.digest: another text waits; read that one")
    require(
        ctx.height < from_height <= ctx.height + LEAD_MAX,
        "rules.from_height: give a height that is still to come",
    )
    if rule.enacted != 0:
        last = versions[rule_id, rule.enacted]
        require(
            last.from_height <= ctx.height,
            "rules.announced: the version before is not in force yet; wait for its height",
        )
        versions[rule_id, rule.enacted] = replace(last, until_height=from_height)
    if rule.kind == "monitoring":
        holder = monitored_by.get(rule.stage, rule_id)
        require(holder == rule_id, "rules.monitored: revoke the other plan of this stage first")
        monitored_by[rule.stage] = rule_id
    versions[rule_id, number] = replace(
        latest, status="enacted", manager=manager, from_height=from_height, before=rule.enacted
    )
    rules[rule_id] = replace(rule, title=latest.title, enacted=number, status="enacted")
    emit("RuleEnacted", rule_id=rule_id, number=number, party_id=manager, from_height=from_height)


@call
def revoke(rule_id: str, reason: str) -> None:
    """The manager ends a text at once, a version that is only announced included."""
    manager = require_manager()
    rule = known(rule_id)
    require(1 <= len(reason) <= TEXT_MAX, "rules.reason: give a reason of 1 to 512 characters")
    require(rule.status != "revoked", "rules.revoked: it is revoked already")
    require(rule.enacted != 0, "rules.status: nothing of it is in force; its party withdraws it")
    last = versions[rule_id, rule.enacted]
    if last.before != 0:
        before = versions[rule_id, last.before]
        if before.until_height > ctx.height:
            versions[rule_id, last.before] = replace(
                before, status="revoked", until_height=ctx.height
            )
    versions[rule_id, rule.enacted] = replace(last, status="revoked", until_height=ctx.height)
    if rule.versions > rule.enacted:
        waiting = versions[rule_id, rule.versions]
        if waiting.status == "draft":
            versions[rule_id, rule.versions] = replace(waiting, status="withdrawn")
    if monitored_by.get(rule.stage, "") == rule_id:
        del monitored_by[rule.stage]
    rules[rule_id] = replace(rule, status="revoked", reason=reason)
    emit("RuleRevoked", rule_id=rule_id, party_id=manager, reason=reason)


@view
def show(rule_id: str) -> Rule:
    """One text as it stands at this height; `version` tells of each version."""
    require_reader()
    return seen(known(rule_id))


@view
def version(rule_id: str, number: int) -> Version:
    """One version of a text, as it stands at this height."""
    require_reader()
    rule = known(rule_id)
    require(1 <= number <= rule.versions, "rules.number: see `show` for how many there are")
    return dated(versions[rule_id, number])


@view
def in_force(rule_id: str, height: int) -> int:
    """The number of the version that held at a height up to this one; 0 if none did."""
    require_reader()
    rule = known(rule_id)
    require(0 <= height <= ctx.height, "rules.height: ask for a height that has been")
    number = rule.enacted
    while number > 0:
        found = versions[rule_id, number]
        if found.from_height <= height:
            return number if found.until_height == 0 or height < found.until_height else 0
        number = found.before  # its author can draft any number in between
    return 0


@view
def list_(offset: int, limit: int) -> list[Rule]:
    """All texts in the order of their first drafts."""
    return page("", offset, limit)


@view
def list_by_stage(stage: str, offset: int, limit: int) -> list[Rule]:
    """The texts of a stage in the order of their first drafts."""
    require(stage in STAGES, "rules.stage: use aggregation, authorization, development or delivery")
    return page(stage, offset, limit)


@view
def checks() -> list[Limit]:
    """By what each check judges at this height."""
    return [limit_of(name) for name, _s, _d, _least, _most, _w in CHECKS]


@view
def limit_of(check: str) -> Limit:
    """By what one check judges at this height; anybody may know it."""
    for name, stage, default, _least, _most, severity in CHECKS:
        if name == check:
            return set_by_plan(Limit(name, stage, default, severity))
    fail("rules.check: no check has this name; see `checks`")


def set_by_plan(default: Limit) -> Limit:
    rule_id = monitored_by.get(default.stage, "")
    if rule_id == "":
        return default
    number = rules[rule_id].enacted
    announced = versions[rule_id, number]
    if announced.from_height > ctx.height:
        number = announced.before
    if number == 0:
        return default
    for name, limit, severity in versions[rule_id, number].limits:
        if name == default.check:
            return Limit(name, default.stage, limit, severity, rule_id)
    return default


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "rules.role: sign with an account of an active manager")
    return party


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "rules.reader: sign with an account of an active party")


def require_author(kind: str, stage: str) -> str:
    for name, role, first in KINDS:
        if name == kind:
            require(
                position_of(stage) >= first,
                "rules.stage: warnings begin with authorization, emergencies with development",
            )
            party = view_contract("parties", "acting_as", ctx.sender, role, returns=str)
            require(party != "", "rules.role: rules are a manager's, plans an active operator's")
            return party
    fail("rules.kind: use rule, monitoring, warning or emergency")


def position_of(stage: str) -> int:
    for position, name in enumerate(STAGES):
        if name == stage:
            return position
    fail("rules.stage: use aggregation, authorization, development or delivery")


def require_draft(rule: Rule) -> Version:
    latest = versions[rule.id, rule.versions]
    require(latest.status == "draft", "rules.status: no draft waits; draft a version first")
    return latest


def check_limits(kind: str, stage: str, limits: list[tuple[str, int, str]]) -> None:
    require(
        kind == "monitoring" or len(limits) == 0, "rules.limits: only a monitoring plan sets them"
    )
    require(len(limits) <= len(CHECKS), "rules.limits: name each check once")
    names: list[str] = []
    for check, limit, severity in limits:
        require(check not in names, "rules.limits: name each check once")
        names.append(check)
        require(severity in SEVERITIES, "rules.severity: use notice, warning or critical")
        is_set = False
        for name, of_stage, _default, least, most, _severity in CHECKS:
            if name == check and of_stage == stage:
                require(least <= limit <= most, "rules.limit: out of range; see `checks`")
                is_set = True
        require(is_set, "rules.check: this stage has no such check; see `checks`")


def drafted(rule: Rule) -> str:
    return "draft" if rule.enacted == 0 else rule.status


def known(rule_id: str) -> Rule:
    rule = rules.get(rule_id)
    if rule is None:
        fail("rules.unknown: no rule has this id; look for it with `list`")
    return rule


def seen(rule: Rule) -> Rule:
    """The text as it stands at this height: nobody has to put in force what was enacted."""
    if rule.status != "enacted":
        return rule
    return replace(rule, status=dated(versions[rule.id, rule.enacted]).status)


def dated(found: Version) -> Version:
    if found.status != "enacted":
        return found
    if ctx.height < found.from_height:
        return replace(found, status="announced")
    if found.until_height != 0 and ctx.height >= found.until_height:
        return replace(found, status="superseded")
    return replace(found, status="effective")


def page(scope: str, offset: int, limit: int) -> list[Rule]:
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "rules.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, rule_count.get(scope, 0))
    return [seen(rules[rule_by_number[scope, number]]) for number in range(offset, end)]


def enlist(scope: str, rule_id: str) -> None:
    number = rule_count.get(scope, 0)
    rule_by_number[scope, number] = rule_id
    rule_count[scope] = number + 1
