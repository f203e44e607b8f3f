"""Applicants of the business in tests/business.py: strangers with keys, and what they sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client.account import Account
from client.applications import Application, Signed, apply_args, sign
from contracts.vm.codes import Code
from crypto.providers.software import SoftwareProvider
from ledger.values import Value
from tests.business import HOUR_MS, Business, digest

CHAIN_ID = bytes(32)  # of contracts.vm.testing.Chain


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody applies for; keys by name."""

    id: str = "a1"
    party: str = "lab"
    name: str = "\u5b9e\u9a8c\u5ba4\nLab"
    organization: str = ""
    roles: tuple[str, ...] = ("developer",)
    keys: tuple[str, ...] = ("lab",)
    sponsor: str = "opco"
    hours: int = 24
    chain_id: bytes = CHAIN_ID


LAB = Wish()  # a developer that an operator wants


def applicant(name: str) -> Account:
    """A key that is alike for equal names, and whose account is of no party yet."""
    return Account(SoftwareProvider(digest(f"key of {name}")))


def written(business: Business, wish: Wish = LAB) -> Signed:
    """What the applicant wrote, and has not signed yet."""
    asked = Application(
        id=wish.id,
        party=wish.party,
        name=wish.name,
        organization=wish.organization,
        roles=wish.roles,
        accounts=tuple(applicant(key).address for key in wish.keys),
        documents=digest("documents"),
        sponsor=wish.sponsor,
        expires_ms=business.now_ms + wish.hours * HOUR_MS,
    )
    return Signed(asked, wish.chain_id, {})


def signed(business: Business, wish: Wish = LAB) -> list[Value]:
    """The arguments of admission.apply, signed by all keys."""
    paper = written(business, wish)
    for key in wish.keys:
        paper = sign(paper, applicant(key))
    return apply_args(paper)


def applied(business: Business, wish: Wish = LAB) -> str:
    """The sponsor handed it in."""
    business.do(wish.sponsor, "admission", "apply", *signed(business, wish))
    return wish.id


def decision(business: Business, application_id: str = "a1", engagement: str = "") -> list[Value]:
    """The arguments of admission.admit, for what is up."""
    found = business.ask_record("bureau", "admission", "show", application_id)
    return [application_id, found["digest"], engagement, "sound"]


def admitted(business: Business, wish: Wish = LAB) -> str:
    applied(business, wish)
    business.do("bureau", "admission", "admit", *decision(business, wish.id))
    return wish.party


def entered(
    business: Business, party: str, roles: Sequence[Value], accounts: Sequence[Value]
) -> None:
    """A party with any addresses at all, as the contract admission has it entered."""
    words: list[Value] = [party, party.title(), [*roles], [*accounts], "", "opco", "bureau"]
    receipt = business.chain.call("contract:admission", "parties", "admit", *words)
    assert receipt.status == Code.ok, receipt.detail
