"""A network under load is backed up, loses a node with its disk, and gets it back (5.1 a, b)."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from cli import netfiles, supervisor
from cli.supervisor import Program
from node.keys import write_private
from tests.e2e.harness import LocalNetwork, shuxin
from tests.e2e.load import Load
from tests.e2e.manifest import LoadEntry
from tests.e2e.test_network import record

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOST = 3  # the node whose disk is lost
QUIET_CALLS = 30  # acknowledged before the first backup begins, to compare with


class Place:
    """The folders of a backup and of its key, which is not on the node's machine."""

    def __init__(self, root: Path, network: LocalNetwork) -> None:
        self.folder = root / "backup"
        self.key = root / "vault" / "backup.pem"
        self.passphrase = root / "vault" / "passphrase"
        self.passphrase.parent.mkdir(mode=0o700)
        write_private(self.passphrase, b"a passphrase of the operator\n")
        self.data = network.root / "nodes" / network.plan.nodes[LOST].name / "data"
        self.genesis = network.root / "genesis.json"
        made = self._said("key", "new", str(self.key), *self._secret)
        self.public = str(made["public_key"])

    @property
    def _secret(self) -> tuple[str, str]:
        return ("--passphrase-file", str(self.passphrase))

    def take(self) -> dict[str, object]:
        return self._said(
            "node", "backup", str(self.data), "--to", str(self.folder), "--recipient", self.public
        )

    def restore(self, data: Path, *, expect: int = 0) -> dict[str, object]:
        return self._said(
            "node", "restore", str(self.folder), "--data-dir", str(data),
            "--genesis", str(self.genesis), "--key", str(self.key), *self._secret,
            expect=expect,
        )  # fmt: skip

    def _said(self, *arguments: str, expect: int = 0) -> dict[str, object]:
        result = shuxin(*arguments, "--json")
        assert result.returncode == expect, result.stdout + result.stderr
        said = result.stderr if expect else result.stdout
        answer: dict[str, object] = json.loads(said)
        return answer


def rate(load: Load, began: float, ended: float) -> float:
    """Certified calls a second."""
    hits = sum(began <= one.ended <= ended for one in load.answers.acknowledged)
    return hits / (ended - began)


def without_lost(network: LocalNetwork) -> tuple[list[Program], Program]:
    programs = netfiles.programs(network.root, network.plan)
    name = network.plan.nodes[LOST].name
    lost = next(program for program in programs if program.name == name)
    return [program for program in programs if program is not lost], lost


def test_backup_under_load_and_restore_on_a_bare_machine(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    place = Place(tmp_path, network)
    try:
        network.up()
        operator = network.account("operator")
        targets = [node.api for node in network.plan.nodes]
        with Load(LoadEntry(clients=6, rate=60.0), targets, operator) as load:
            began = time.monotonic()
            network.wait(
                lambda: len(load.answers.acknowledged) >= QUIET_CALLS, timeout_s=60, what="load"
            )
            quiet = time.monotonic()
            first = place.take()
            second = place.take()
            ended = time.monotonic()
        print(
            f"\ncertified calls a second: {rate(load, began, quiet):.1f} before, "
            f"{rate(load, quiet, ended):.1f} during two backups of {ended - quiet:.1f} s "
            f"(heights {first['height']} and {second['height']}, "
            f"{first['bytes']} and {second['bytes']} bytes)"
        )
        assert any(quiet <= one.began and one.ended <= ended for one in load.answers.acknowledged)
        assert not load.answers.failed
        assert int(str(second["height"])) > int(str(first["height"]))
        assert second["first"] == int(str(first["height"])) + 1, "only what is new"
        _lose_and_restore(network, place, second)
    finally:
        network.down()


def _lose_and_restore(network: LocalNetwork, place: Place, taken: dict[str, object]) -> None:
    network.down()
    others, lost = without_lost(network)
    supervisor.start_detached(network.root, others)
    assert "restore_target_not_empty" in str(place.restore(place.data, expect=1))
    shutil.rmtree(place.data)  # its disk is gone
    began = time.monotonic()
    done = place.restore(place.data)
    print(f"restored to height {done['height']} in {time.monotonic() - began:.1f} s")
    assert (done["height"], done["state_root"]) == (taken["height"], taken["state_root"])
    height = int(str(done["height"]))
    network.wait(
        lambda: sum(found is not None for found in network.statuses()) == len(others),
        timeout_s=60,
        what="the other nodes are up",
    )
    session = network.session("operator")
    with session.node:
        record(session)  # three go on meanwhile
    supervisor.extend(network.root, lost)
    network.wait(network.agree, timeout_s=60, what="the restored node agrees")
    status = network.status(LOST)
    assert status is not None and status.phase == "ordering" and status.height > height
    chunk = min(place.folder.glob("segment-*/chunk-*"))
    with open(chunk, "r+b") as file:
        file.truncate(chunk.stat().st_size - 1)
    bare = network.root / "bare"
    assert "backup_incomplete" in str(place.restore(bare, expect=1))
    assert not bare.exists()
