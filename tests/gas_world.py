"""The largest calls of the contracts that run the chain, and what the other largest ones share.

`tests/unit/test_client_gas.py` plays the business on top of it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.bundle import system_sources
from contracts.parameters import PARAMETERS
from contracts.system import parameter, policy
from contracts.system.governance import MEMBERS_MAX, NODES_MAX
from contracts.system.parties import SELECTED_ROLES
from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from crypto.x509.profile import Role, Subject
from ledger.genesis import Limits
from ledger.model import address_of
from ledger.values import Value, encode_value
from tests.business import ROLES, node_public
from tests.council import signed, statement, vote
from tests.largest import DIGEST, laboratory, name, wide
from tests.x509_world import organization

FOUNDED = datetime(2023, 11, 1, tzinfo=UTC)  # before the time of the chain


class Machinery:
    """Makes calls with the largest arguments that they take, and keeps what each used."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.used: dict[tuple[str, str], int] = {}
        founders: list[Value] = [self.party("manager", "manager")]
        founders += [self.party(f"org-{number:02}", "operator") for number in range(MEMBERS_MAX)]
        founders += [self.party("tech", "tech_provider"), laboratory()]
        members = [self.node(number) for number in range(MEMBERS_MAX)]
        args: dict[str, list[Value]] = {
            "parties": [founders],
            "governance": [members, 64],
            "parameter": [[[parameter, getattr(Limits(), parameter)] for parameter in PARAMETERS]],
            "identity": [[]],
            "algorithm": [[]],
        }
        for contract, source in system_sources():
            receipt = self.chain.deploy(contract, source, args.get(contract, []))
            assert receipt.status == Code.ok, receipt

    def party(self, who: str, role: str) -> list[Value]:
        """A party whose acting account and role are the last that are looked at."""
        accounts: list[Value] = [account(f"{who}/{number}") for number in range(31)]
        roles: list[Value] = [other for other in ROLES if other != role]
        return [name(who), wide(128), [*roles, role], [*accounts, account(who)]]

    def chosen(self, who: str, role: str) -> list[Value]:
        """As `party`, in roles that managers choose for."""
        words = self.party(who, role)
        chosen: list[Value] = [other for other in ROLES if other not in (role, *SELECTED_ROLES)]
        return [*words[:2], [*chosen, role], words[3]]

    def node(self, number: int) -> Value:
        """A node described with as many bytes as it takes, of an organization."""
        peer = f"{number:03}".replace("0", "z").ljust(128, "p")
        party = name(f"org-{number % MEMBERS_MAX:02}")
        return [name(f"node-{number:03}"), party, node_public(str(number)), peer, "/" + wide(255)]

    def do(self, who: str, contract: str, method: str, *args: Value) -> None:
        self.sign(account(who), contract, method, *args)

    def sign(self, sender: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.chain.call(sender, contract, method, *args)
        assert receipt.status == Code.ok, (contract, method, receipt.error, receipt.detail)
        key = contract, method
        self.used[key] = max(self.used.get(key, 0), receipt.gas_used)

    def certify(self) -> None:
        """256 roots, four of one organization, whose last one signed the longest certificate."""
        authorities = [
            organization(name(f"org-{number // 4:02}"), now=FOUNDED, root=name(f"ca-{number}"))
            for number in range(256)
        ]
        voters = [f"org-{number:02}" for number in range(43)]
        for number, authority in enumerate(authorities):
            proposal_id, owner = name(f"root-{number}"), name(f"org-{number // 4:02}")
            asked: list[Value] = [proposal_id, owner, authority.root.der, wide(512)]
            if number < 255:  # the others as a proposal has them entered: 43 votes each take long
                enter = self.chain.call("contract:proposal", "identity", "admit_root", *asked[1:3])
                assert enter.status == Code.ok, enter
                continue
            self.do("manager", "proposal", "admit_root", *asked)
            for voter in voters:
                self.do(voter, "proposal", "approve", proposal_id)
        last, owner = authorities[-1], "org-63"
        subject = Subject(name(owner), name("holder"), Role.NODE, "p" * 64)
        made = [last.leaf(subject, now=FOUNDED, public=node_public("x")) for _ in range(8)]
        for certificate in made:
            self.do(owner, "identity", "register", name(owner), certificate.der)
        self.do(owner, "identity", "revoke", name(owner), f"{made[0].serial:x}", wide(512))
        old = authorities[-2].root.fingerprint
        self.do("manager", "proposal", "retire_root", name("retire"), name(owner), old, wide(512))
        for voter in voters:
            self.do(voter, "proposal", "approve", name("retire"))

    def decide_together(self) -> None:
        """As many members as may be, the longest arguments, and the last approval of all."""
        people = sorted((f"supplier-{number:02}" for number in range(16)), key=account)
        members: list[Value] = [account(person) for person in people]
        self.do(people[0], "multisig", "open_account", 16, members, wide(128))
        accounts = self.chain.view(account(people[0]), "multisig", "list", 0, 1)
        assert isinstance(accounts, list) and isinstance(accounts[0], dict)
        joint = accounts[0]["id"]
        args = encode_value([name("t"), wide(7_500)])
        for act in ("j0", "j1"):
            words: list[Value] = [name(act), joint, name("transfer"), "m" * 64, args, wide(512)]
            self.do(people[0], "multisig", "propose", *words)
        self.do(people[1], "multisig", "reject", name("j0"), wide(512))
        self.do(people[0], "multisig", "withdraw", name("j1"))
        assert isinstance(joint, str)
        self.do("manager", "parties", "remove_account", name("consumer"), account("consumer/0"))
        self.do("manager", "parties", "add_account", name("consumer"), joint)
        kind, fields = "authorization.decision", (name("d"), DIGEST, wide(1024))
        args = encode_value([name("j2"), kind, *fields])
        words = [name("j2"), joint, "evidence", "record", args, wide(512)]
        self.do(people[0], "multisig", "propose", *words)
        found = self.chain.view(account(people[0]), "multisig", "act", name("j2"))
        assert isinstance(found, dict)
        for person in people[1:]:
            self.do(person, "multisig", "approve", name("j2"), found["digest"])

    def settle(self) -> None:
        """A full committee approves a rule that asks all of it."""
        organizations = [f"org-{number:02}" for number in range(MEMBERS_MAX)]
        last = MEMBERS_MAX - 1
        asked: list[Value] = ["owner", *ROLES]
        groups: list[Value] = [[*asked], ["organization", *asked]] * 4
        witnesses: list[Value] = [name(party) for party in organizations]
        words: list[Value] = ["revoke", groups, MEMBERS_MAX, True, witnesses, wide(160)]
        self.do("manager", "contract", "set_policy", *words)
        self.do("manager", "contract", "reject_policy", wide(160))
        self.do("manager", "contract", "set_policy", *words)
        pending = self.chain.view(account("manager"), "contract", "pending_policy")
        assert isinstance(pending, dict)
        while pending is not None and last >= 0:
            self.do(organizations[last], "contract", "approve_policy", pending["rule_hash"])
            waiting = self.chain.view(account("manager"), "contract", "pending_policy")
            pending = waiting if isinstance(waiting, dict) else None
            last -= 1

    def govern(self) -> None:
        """A full committee of as many organizations, and as many nodes as may be known."""
        for number in range(MEMBERS_MAX, NODES_MAX - 1):
            described = self.node(number)
            assert isinstance(described, list)
            self.sign("contract:proposal", "governance", "admit", *described)
        new = self.node(NODES_MAX - 1)
        assert isinstance(new, list)
        self.do("org-63", "proposal", "admit_observer", name("p0"), *new, wide(512))
        self.vote(name("p0"))
        out, into = name("node-000"), name(f"node-{NODES_MAX - 1}")
        for number, kind in enumerate(("replace_validator", "dismiss_observer", "no"), 1):
            proposal_id = name(f"p{number}")
            node, successor = (into, "") if kind == "dismiss_observer" else (out, into)
            wanted = [proposal_id, "replace_validator" if kind == "no" else kind, node, successor]
            self.do("org-63", "proposal", "propose", *wanted, wide(512))
            if kind == "replace_validator":
                self.vote(proposal_id)
                self.do("org-63", "proposal", "withdraw", proposal_id)
            elif kind == "dismiss_observer":
                self.vote(proposal_id, but=1)
            else:
                self.vote(proposal_id)
                for number_of_node in [*range(1, 43), NODES_MAX - 1]:
                    signer = address_of(node_public(str(number_of_node)))
                    self.sign(signer, "governance", "confirm", proposal_id)
        at = self.chain.height + 10_000
        engine = f"shuxin-vm/999999+cpython-3.11+{0:016x}"
        words: list[Value] = [name("e0"), engine, at, wide(512)]
        self.do("org-63", "proposal", "change_engine", *words)
        self.vote(name("e0"))
        self.do("org-63", "proposal", "cancel_engine", name("e1"), at, wide(512))
        self.vote(name("e1"))
        self.lay_down()
        self.do("org-63", "governance", "set_address", name("node-063"), "/" + wide(255))
        self.chain.advance(height=100)

    def lay_down(self) -> None:
        """Changes of all parameters as many as may wait, of a feature, and of a policy."""
        for number in range(parameter.COMING_MAX):
            at = self.chain.height + 10_000 + number
            values: list[Value] = [
                [known, (least + most) // 2 + number if known != "heartbeat_ms" else least + number]
                for known, least, most in parameter.PARAMETERS
            ]
            if number < parameter.COMING_MAX - 1:
                words: list[Value] = [name(f"q{number}"), values, at]
                self.sign("contract:proposal", "parameter", "schedule", *words)
        self.do("org-63", "proposal", "change_parameters", name("q"), values, at, wide(512))
        self.vote(name("q"))
        self.do("org-63", "proposal", "cancel_parameters", name("q-no"), at, wide(512))
        self.vote(name("q-no"))
        self.do("org-63", "proposal", "switch_feature", name("f"), "f" * 64, True, at, wide(512))
        self.vote(name("f"))
        self.do("org-63", "proposal", "cancel_feature", name("f-no"), "f" * 64, wide(512))
        self.vote(name("f-no"))
        asked: list[Value] = ["cancel_parameters", 1, 67, True, policy.TERM_MS_MAX, wide(512)]
        self.do("org-63", "proposal", "change_policy", name("w"), *asked)
        self.vote(name("w"))

    def vote(self, proposal_id: str, *, but: int = 0) -> None:
        """The manager and a quorum of 64 approve, but for so many, in whose place one rejects."""
        self.do("manager", "proposal", "approve", proposal_id)
        for number in range(42 - but):
            self.do(f"org-{number:02}", "proposal", "approve", proposal_id)
        if but:
            self.do("org-62", "proposal", "reject", proposal_id, wide(512))

    def accuse(self) -> None:
        """The longest messages that prove anything."""
        pair = signed("1", vote(view=2**53 - 1), vote(view=2**53 - 1, proposal="b"))
        self.do("manager", "accusation", "accuse", node_public("1"), *pair)
        statements = signed("1", statement(height=2**53 - 1), statement(height=2**53 - 1, root="b"))
        self.do("manager", "accusation", "accuse", node_public("1"), *statements)
