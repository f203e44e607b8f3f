"""One node's consensus key is behind a library of GM/T 0018; the others' keys are in files.

The library is compiled by the test (tests/sdf): a device in software. The key file of the node is
gone before it starts, so that nothing but the device can sign its votes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import supervisor
from crypto.keys import load_key
from tests.e2e.harness import LocalNetwork
from tests.e2e.test_network import record
from tests.sdf import soft

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DEVICE_NODE = 0
PASSWORD = "of the device"  # not the passphrase of the node's files


def move_into_device(network: LocalNetwork, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Take a node's key out of its file and put it behind the library; what makes it faulty."""
    node = network.root / "nodes" / network.plan.nodes[DEVICE_NODE].name
    file = node / "keys" / "consensus.pem"
    private = load_key(file, (node / "keys" / "passphrase").read_bytes().strip())
    file.unlink()
    folder.mkdir()
    library = Path(shutil.copy(soft.library(), folder / "libsdf.so"))
    (folder / "key").write_bytes(private)  # the device's own memory
    (node / "keys" / "device-password").write_text(PASSWORD + "\n")
    (node / "keys" / "device-password").chmod(0o600)
    patch.setenv("SOFT_SDF_KEY", str(folder / "key"))
    patch.setenv("SOFT_SDF_PASSWORD", PASSWORD)
    patch.setenv("SOFT_SDF_FAULT", str(folder / "fault"))
    configure(node / "node.toml", library)
    return folder / "fault"


def configure(path: Path, library: Path) -> None:
    text = path.read_text()
    for old, new in (
        ('consensus_key = "keys/consensus.pem"\n', ""),
        ('# device_library = "/usr/lib/libsdf.so"', f'device_library = "{library}"'),
        ("# device_key_index = 1", "device_key_index = 1"),
        ("# device_password_file", "device_password_file"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LocalNetwork, Path]]:
    """The running network, and the file that makes the device sign wrongly."""
    folder = tmp_path_factory.mktemp("device")
    network = LocalNetwork(folder / "net")
    with pytest.MonkeyPatch.context() as patch:
        fault = move_into_device(network, folder / "sdf", patch)
        try:
            network.up()
            yield network, fault
        finally:
            network.down()


def test_its_votes_carry_the_quorum_beside_software_nodes(
    world: tuple[LocalNetwork, Path],
) -> None:
    """With one of the others hung, three of four are left: nothing is certified without it."""
    network, _ = world
    session = network.session("operator", 1)
    with session.node, network.hung(3):
        wanted = [record(session) for _ in range(12)]
        signers = set()
        for transaction in wanted:
            proof = session.node.transaction(transaction, proof=True).proof
            assert proof is not None
            signers.add(tuple(sorted(vote.validator for vote in proof.certificate.signatures)))
    assert all(DEVICE_NODE in voted for voted in signers), signers
    network.wait(network.agree, timeout_s=60, what="all nodes at one certified height")


def test_it_proposes_blocks_and_comes_back_after_a_restart(
    world: tuple[LocalNetwork, Path],
) -> None:
    network, _ = world
    network.restart(DEVICE_NODE, timeout_s=60)
    session = network.session("operator", DEVICE_NODE)
    with session.node:
        record(session)
    network.wait(network.agree, timeout_s=60, what="all nodes at one certified height")


def test_a_device_that_signs_wrongly_stops_its_node_and_not_the_chain(
    world: tuple[LocalNetwork, Path],
) -> None:
    """No peer ever sees a wrong signature; once the device works, the node takes part again."""
    network, fault = world
    name = network.plan.nodes[DEVICE_NODE].name
    log = network.root / "nodes" / name / "node.log"
    first = supervisor.process_pids(network.root)[name]
    fault.touch()
    session = network.session("operator", 1)
    try:
        with session.node:
            for _ in range(3):
                record(session)
        network.wait(
            lambda: supervisor.process_pids(network.root).get(name, first) != first,
            timeout_s=30,
            what="the node with the faulty device ended",
        )
    finally:
        fault.unlink()
    assert "the device signed wrongly" in log.read_text()
    network.wait(network.agree, timeout_s=90, what="the node takes part again")
    assert PASSWORD not in log.read_text()
    with network.client(DEVICE_NODE) as client:
        assert client.status().phase == "ordering"
