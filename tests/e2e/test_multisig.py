"""Two of three people act for an organization, by commands, on a network of jailed nodes.

Then an auditor replays the chain from the genesis, and finds the act as the joint account's.
"""

from __future__ import annotations

import csv
import json
import secrets
from pathlib import Path
from typing import cast

import pytest

from client.account import Account
from crypto import sm2
from crypto.keys import save_key
from crypto.providers.software import SoftwareProvider
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PASSPHRASE = b"of a person"
PEOPLE = ("anna", "bo", "chen")


class Board:
    """Three people with keys of their own, all of the operator."""

    def __init__(self, network: LocalNetwork, folder: Path) -> None:
        self.network = network
        self.folder = folder
        (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        (folder / "passphrase").chmod(0o600)
        self.addresses = {person: self._key(person) for person in PEOPLE}

    def _key(self, person: str) -> str:
        private = sm2.generate()
        save_key(self.folder / f"{person}.pem", private, PASSPHRASE)
        return Account(SoftwareProvider(private)).address

    def run(self, person: str, *words: str) -> tuple[int, dict[str, object]]:
        """A command of one of them: its exit code, and what it answered or was refused with."""
        own = ("--key", str(self.folder / f"{person}.pem"))
        secret = ("--passphrase-file", str(self.folder / "passphrase"))
        home = ("--home", str(self.network.root / "parties" / "operator"), "--json")
        done = shuxin(*words, *own, *secret, *home)
        text = done.stdout if done.returncode == 0 else done.stderr.splitlines()[-1]
        return done.returncode, cast(dict[str, object], json.loads(text))

    def must(self, person: str, *words: str) -> dict[str, object]:
        code, answer = self.run(person, *words)
        assert code == 0, answer
        return answer


@pytest.fixture(scope="module")
def board(network: LocalNetwork, tmp_path_factory: pytest.TempPathFactory) -> Board:
    board = Board(network, tmp_path_factory.mktemp("board"))
    manager = network.session("manager")
    with manager.node:
        for address in board.addresses.values():
            manager.call("parties", "add_account", "operator", address)
    return board


@pytest.mark.timeout(400)  # eight commands, and a replay
def test_two_of_three_register_a_party_which_none_of_them_could(
    board: Board, network: LocalNetwork, tmp_path: Path
) -> None:
    """The people are the operator's; their joint account is one of the manager's."""
    members = [f"--member={address}" for address in board.addresses.values()]
    opened = board.must("anna", "multisig", "open", "--threshold=2", "--title=Board", *members)
    joint = str(opened["value"])
    manager = network.session("manager")
    with manager.node:
        manager.call("parties", "add_account", "manager", joint)
    act, party = f"a-{secrets.token_hex(4)}", f"p-{secrets.token_hex(4)}"
    account = secrets.token_hex(20)
    call = ("parties", "register", party, "New Office", '["consumer"]', f'["{account}"]')
    code, refusal = board.run("bo", "contract", "call", *call)
    assert (code, code_of(refusal)) == (1, "parties.role")

    wanted = ("--account", joint, "--reason", "meeting 7")
    board.must("anna", "multisig", "propose", act, *call, *wanted)
    shown = board.must("bo", "multisig", "act", act)
    assert shown["args"] == [party, "New Office", ["consumer"], [account]]
    digest = str(shown["digest"]).removeprefix("0x")
    code, refusal = board.run("anna", "multisig", "approve", act, "--digest", digest)
    assert (code, code_of(refusal)) == (1, "multisig.voted")
    approved = board.must("bo", "multisig", "approve", act, "--digest", digest)
    events = cast(list[dict[str, object]], approved["events"])
    assert [event["name"] for event in events] == [
        "JointActApproved",
        "JointActPerformed",
        "PartyRegistered",
    ]
    found = audited(network, tmp_path, party=joint)
    (row,) = [row for row in found if row["method"] == "register"]
    assert (row["contract"], row["sender"], row["party"]) == ("parties", joint, "manager")


def code_of(refusal: dict[str, object]) -> str:
    return cast(dict[str, str], refusal["refused"])["code"]


def audited(network: LocalNetwork, folder: Path, *, party: str) -> list[dict[str, str]]:
    """The acts of a party, as `audit report` finds them by replaying a node's whole chain."""
    done = shuxin(
        *("audit", "report", network.plan.nodes[0].api, "--party", party, "--question", "acts"),
        *("--genesis", str(network.root / "genesis.json"), "--output", str(folder / "report")),
        *("--home", str(network.root / "parties" / "manager"), "--json"),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with (folder / "report" / "acts.csv").open(newline="", encoding="utf-8-sig") as table:
        return list(csv.DictReader(table))
