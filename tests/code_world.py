"""A register and a committee for tests of the life of contracts: a party each, named roles."""

from __future__ import annotations

from contracts.vm.testing import Chain, account
from ledger.model import Receipt
from ledger.values import Value

# Party -> roles; the account of a party is account(PARTY).
ROLES = {
    "manager": ["manager"],
    "second": ["manager"],
    "tech": ["tech_provider"],
    "other": ["tech_provider"],
    "operator": ["operator"],
    "both": ["manager", "operator"],
    "a": [],
    "b": [],
    "c": [],
    "d": [],
    "stranger": ["supplier"],
}
MANAGER, SECOND, TECH, OTHER, OPERATOR, BOTH, A, B, C, D, STRANGER = map(account, ROLES)
_KNOWN = [(account(party), party, roles) for party, roles in ROLES.items()]
PARTIES = (
    """
from contracts.dialect import Map, call, init, view
KNOWN = Map(str, str)
ROLES = Map(str, list[str])
SUSPENDED = Map(str, bool)
@init
def setup(known: list[tuple[str, str, list[str]]]) -> None:
    for address, party, roles in known:
        KNOWN[address] = party
        ROLES[party] = roles
@call
def suspend(party: str) -> None:
    SUSPENDED[party] = True
@view
def is_active(party_id: str) -> bool:
    return party_id in ROLES and party_id not in SUSPENDED
@view
def active_party_of(address: str) -> str:
    party = KNOWN.get(address, "")
    return party if party not in SUSPENDED else ""
@view
def party_has_role(party_id: str, role: str) -> bool:
    return party_id in ROLES and party_id not in SUSPENDED and role in ROLES[party_id]
@view
def acting_as(address: str, role: str) -> str:
    party = KNOWN.get(address, "")
    if party == "" or party in SUSPENDED or role not in ROLES[party]:
        return ""
    return party
""".replace("KNOWN", "known_by")
    .replace("ROLES", "roles_of")
    .replace("SUSPENDED", "suspended")
)
GOVERNANCE = """
from contracts.dialect import view
@view
def organizations() -> list[str]:
    return ["a", "b", "c", "d"]
"""


def found() -> Chain:
    """A chain with a register and a committee of the organizations a to d."""
    chain = Chain()
    known: list[Value] = [[address, party, [*roles]] for address, party, roles in _KNOWN]
    for receipt in (
        chain.deploy("parties", PARTIES, [known]),
        chain.deploy("governance", GOVERNANCE),
    ):
        assert receipt.status == 0, receipt.detail
    return chain


def upgrade(chain: Chain, name: str, source: str, *senders: str, sequence: int = 2) -> Receipt:
    """The first of `senders` proposes, the others approve; the last receipt, or the first bad."""
    receipt = chain.call(senders[0], "contract", "upgrade", name, sequence, source, "a finding")
    for sender in senders[1:]:
        if receipt.status != 0:
            break
        pending = chain.view(sender, "contract", "pending", name)
        assert isinstance(pending, dict)
        words = name, pending["sequence"], pending["code_hash"]
        receipt = chain.call(sender, "contract", "approve", *words)
    return receipt
