"""A new local network: nothing secret is readable by others or gets into a repository."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from cli import netfiles
from cli.options import Invocation
from cli.output import CommandRefused
from contracts.vm.engines import EngineUnknown
from contracts.vm.version import VM_VERSION, vm_version
from ledger.genesis import load_genesis

pytestmark = pytest.mark.slow  # a key's passphrase is stretched for 0.2 s


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout") / "net"
    netfiles.create(root, nodes=4, port_base=40_000, executors=False)
    return root


def test_keys_and_passphrases_are_their_owners_alone(network: Path) -> None:
    files = [path for path in network.rglob("keys/*") if path.is_file()]
    secret = [path for path in files if path.suffix in ("", ".pem")]  # not certificates
    assert len(secret) >= 4 * 3 + 8 * 2
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, path


def test_a_repository_around_it_does_not_see_it(network: Path) -> None:
    subprocess.run(["git", "init", "-q", str(network.parent)], check=True, timeout=30)
    seen = subprocess.run(
        ["git", "-C", str(network.parent), "status", "--porcelain", "--untracked-files=all"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert seen.stdout == ""


def test_a_party_asks_its_own_node_first_and_then_all_others(network: Path) -> None:
    plan = netfiles.load_plan(network)
    apis = {node.party: node.api for node in plan.nodes}
    for party, _, _ in netfiles.PARTIES:
        ask = Invocation(False, network / "parties" / party, "", "", None)
        assert set(ask.targets) == set(apis.values())
        assert ask.targets[0] == apis.get(party, ask.targets[0])


def test_a_folder_in_use_is_left_alone(network: Path) -> None:
    before = (network / "genesis.json").read_bytes()
    with pytest.raises(CommandRefused, match=r"net\.exists"):
        netfiles.create(network, nodes=4, port_base=40_000, executors=False)
    assert (network / "genesis.json").read_bytes() == before


@pytest.mark.parametrize("nodes", [0, 3, 32])
def test_a_network_of_a_size_that_tolerates_nothing_is_refused(tmp_path: Path, nodes: int) -> None:
    with pytest.raises(CommandRefused, match=r"net\.size"):
        netfiles.create(tmp_path / "net", nodes=nodes, port_base=40_000, executors=False)


def test_a_network_begins_on_the_engine_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnknown, match="--vm-version names the engine vm/0"):
        netfiles.create(
            tmp_path / "no", nodes=4, port_base=40_000, executors=False, vm_version="vm/0"
        )
    assert not (tmp_path / "no").exists()
    root = tmp_path / "net"
    netfiles.create(root, nodes=4, port_base=40_000, executors=False, vm_version=vm_version(1))
    assert load_genesis(root / "genesis.json").vm_version == vm_version(1)


def test_a_network_begins_on_the_latest_engine_by_default(network: Path) -> None:
    assert load_genesis(network / "genesis.json").vm_version == VM_VERSION
