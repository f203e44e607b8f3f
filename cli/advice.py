"""What to do after a contract said no: who you are to it, how its record stands, who acts next.

A contract's sentence knows its rule, and not the chain around it. Where a command ends with such a
sentence, this asks the node for the record that it is about and adds what follows from that, with
the command. What cannot be asked is left out: the contract's own sentence always stays.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from cli.beyond import of_grant
from cli.language import say, word
from cli.literals import ID
from cli.main import NOUNS as KNOWN
from cli.readable import shortened, time_text
from cli.translated import translated
from client.errors import ClientError, Refused

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Key, Value

OWN_CODE: Final = re.compile(r"([a-z_]+)\.([a-z0-9_]+): ")
# Contract -> its noun, and the argument that is the id of its record, where these are other words.
NOUNS: Final[Mapping[str, str]] = {
    "admission": "party",
    "parties": "party",
    "payment": "billing",
    "rules": "rule",
}
IDS: Final[Mapping[str, str]] = {"admission": "application_id", "catalog": "dataset_id"}
# Contracts whose records are no noun's: what one is called, and the command that lists them.
CALLED: Final[Mapping[str, str]] = {"admission": "application"}
# Contracts whose records are named in refusals of others, such as `delivery.product`.
ABOUT: Final = frozenset(
    ("agreement", "algorithm", "delivery", "demand", "grant", "job", "product", "task")
)
# Refusals that say who may, not how a record stands.
WHO: Final = frozenset(
    ("consumer", "operator", "owner", "participant", "reader", "role", "self", "side")
)
# Contract and status -> who acts next, and the command; {id} is the record's.
NEXT: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("admission", "applied"): ("manager", "party admit {id} --note …"),
    ("agreement", "offered"): ("consumer", "agreement sign {id} --digest file:TEXT"),
    ("asset", "registered"): ("operator", "asset put-in-service {id} --reason …"),
    ("asset", "maintenance"): ("operator", "asset put-in-service {id} --reason …"),
    ("commission", "offered"): ("developer", "commission accept {id} --digest file:TEXT"),
    ("agreement", "signed"): ("consumer", "agreement sign {id} --digest file:TEXT"),
    ("catalog", "draft"): ("supplier", "catalog collect {id} …"),
    ("catalog", "collected"): ("supplier", "catalog register {id}"),
    ("delivery", "offered"): ("consumer", "delivery accept {id} --digest file:RECEIVED"),
    ("demand", "submitted"): ("operator", "demand prescreen {id} --pass|--refuse"),
    ("demand", "forwarded"): ("manager", "demand review {id} --pass|--refuse"),
    ("demand", "collecting"): ("manager", "demand match {id} --dataset …"),
    ("grant", "requested"): ("manager", "grant review {id}"),
    ("grant", "in_review"): ("manager", "grant approve {id}"),
    ("grant", "granted"): ("operator", "grant accept {id}"),
    ("job", "queued"): ("operator", "job dispatch {id}"),
    ("job", "result"): ("consumer", "job verify {id} --digest file:RECEIVED"),
    ("job", "verified"): ("operator", "job close {id}"),
    ("product", "registered"): ("manager", "product approve {id} --pass|--refuse"),
    ("task", "finished"): ("operator", "product register … --task {id} --digest …"),
}
# Words in backquotes that contracts name their views by -> the verb that people have for it.
VERBS: Final[Mapping[str, str]] = {
    "admission.list": "party applications",
    "admission.show": "party applications ID",
    "accounts": "validator list",
    "checks": "rule limits",
    "decide": "grant refuse",
    "identity.list": "certificate list",
    "identity.show": "certificate show",
    "list_by_subject": "evidence list SUBJECT",
    "nodes": "validator list",
    "organizations": "organization list",
    "preapproval.list": "grant channels",
    "preapproval.show": "grant channel",
}
QUOTED: Final = re.compile(r"`([a-z_-]+)( [a-z_ A-Z-]+)?`")
ANEW: Final = frozenset(("expired", "used_up", "revoked", "refused"))  # grants that are over


def advised(session: Session, refusal: Refused) -> Refused:
    """The refusal with what to do about it, as far as that can be found out."""
    own = OWN_CODE.match(refusal.detail)
    if refusal.asked is None or own is None:
        return refusal
    contract, method, args = refusal.asked
    try:
        given = named(contract, method, args)
        told = of_grant(session, f"{own[1]}.{own[2]}", given) or _advice(
            session, own[1], own[2], given
        )
    except ClientError:
        return refusal
    sentence = with_nouns(own[1], translated(refusal.detail[own.end() :]))
    if not told and sentence == refusal.detail[own.end() :]:
        return refusal
    better = Refused(refusal.code, f"{own[0]}{sentence}{f'; {told}' if told else ''}")
    better.asked = refusal.asked
    return better


def named(contract: str, method: str, args: tuple[Value, ...]) -> dict[str, Value]:
    """The arguments of a call by the names that the system contracts of this release give them."""
    from contracts.bundle import SYSTEM_CONTRACTS

    if contract not in SYSTEM_CONTRACTS:
        return {}
    module = importlib.import_module(f"contracts.system.{contract}")
    function = getattr(module, f"{method}_", None) or getattr(module, method, None)
    if not inspect.isfunction(function):
        return {}
    return dict(zip(inspect.signature(function).parameters, args, strict=False))


def _advice(session: Session, contract: str, what: str, given: Mapping[str, Value]) -> str:
    if what in WHO:
        return _speaker(session)
    about = what if what in ABOUT else contract
    noun, identifier = _subject(about, given)
    if noun not in KNOWN:
        return ""
    if not identifier or what in ("unknown", "exists", "id"):
        return ""
    record = session.view(about, "show", identifier)
    if not isinstance(record, dict):
        return ""
    return "; ".join(_standing(session, about, noun, identifier, record))


def with_nouns(contract: str, sentence: str) -> str:
    """A contract's sentence with whole commands: it knows verbs, `list`, and no nouns."""
    noun = NOUNS.get(contract, contract)

    def whole(found: re.Match[str]) -> str:
        named, rest = found[1], found[2] or ""
        if named in KNOWN:
            return f"`shuxin {named}{rest}`"
        if known := VERBS.get(f"{contract}.{named}") or VERBS.get(named):
            return f"`shuxin {known}`"
        verb = named.replace("_", "-")
        return f"`shuxin {noun} {verb}{rest}`" if verb in verbs_of(noun) else found[0]

    return QUOTED.sub(whole, sentence)


def verbs_of(noun: str) -> frozenset[str]:
    """The verbs of a noun; none of what is no noun."""
    if noun not in KNOWN:
        return frozenset()
    commands = importlib.import_module(f"cli.{noun}").app.registered_commands
    return frozenset(command.name or "" for command in commands)


def _speaker(session: Session) -> str:
    address = session.account.address
    standing = session.view("parties", "standing", address)
    match standing:
        case [str(party), list(roles)] | (str(party), list(roles)) if party:
            shown = ", ".join(word("role", _line(str(role))) for role in roles)
            return say(
                "your key speaks for {party} ({roles}); name another with --key",
                party=_line(party),
                roles=shown,
            )
        case _:
            return say("your key speaks for no active party: shuxin party whois {id}", id=address)


def _subject(contract: str, given: Mapping[str, Value]) -> tuple[str, str]:
    """The noun of a contract, and the id of its record that the call named; "" if it named none."""
    noun = NOUNS.get(contract, contract)
    value = given.get(IDS.get(contract, f"{noun}_id"))
    return noun, value if isinstance(value, str) else ""


def _standing(
    session: Session, contract: str, noun: str, identifier: str, record: Mapping[Key, Value]
) -> Iterator[str]:
    """How the record stands, and what may follow."""
    file = record.get(contract)  # what is shown of a task or a job is its whole file
    status = file.get("status") if isinstance(file, dict) else record.get("status")
    if contract in ("grant", "admission", "catalog"):
        status = session.view(contract, "standing", identifier)
    if not isinstance(status, str):
        return
    shown = word("status", _line(status))
    called = CALLED.get(contract, noun)
    yield say("{noun} {id} is {status}", noun=called, id=identifier, status=shown)
    if contract == "grant":
        yield from _of_grant(record, status)
    if following := NEXT.get((contract, status)):
        role, command = following
        filled = command.format(id=identifier)
        yield say("next, {role}: shuxin {command}", role=word("role", role), command=filled)


def _of_grant(record: Mapping[Key, Value], status: str) -> Iterator[str]:
    """Why a grant cannot be used, and how to have another one."""
    uses, uses_max = record.get("uses"), record.get("uses_max")
    expires, reason = record.get("expires_ms"), record.get("reason")
    is_used_up = isinstance(uses, int) and isinstance(uses_max, int) and uses >= uses_max
    if status == "expired" and isinstance(expires, int):
        yield say("it ended {time}", time=time_text(expires))
    if is_used_up:
        yield say("it was used {uses} of {most} times", uses=uses, most=uses_max)
    if status in ("revoked", "suspended", "refused") and isinstance(reason, str) and reason:
        yield say("the reason: {reason}", reason=_line(reason))
    if status in ANEW or is_used_up:
        demand = record.get("demand_id")
        # People run what they read here: nothing that a node made up stands in a command.
        is_id = isinstance(demand, str) and ID.fullmatch(demand)
        yield say(
            "its operator asks anew: shuxin grant request … --demand {demand}",
            demand=demand if is_id else "…",
        )


def _line(text: str) -> str:
    """What somebody wrote, on one line and cut short."""
    return shortened(" ".join(text.split()))
