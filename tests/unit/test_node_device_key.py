"""A node's consensus key in a device: opened by the configuration, refused with what to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crypto import sm2
from crypto.errors import KeyFileInvalid
from crypto.providers.sdf import DeviceFault, SdfProvider, shared_device
from crypto.providers.software import SoftwareProvider
from node.config import DeviceKey, NodeConfig
from node.keys import DEVICE_PASSWORD_VARIABLE, open_consensus_key, write_private
from node.run import Node
from tests.node_world import PASSPHRASE, Nodes
from tests.sdf import soft

PRIVATE = sm2.generate()


def with_device(
    config: NodeConfig, tmp_path: Path, *, password: bytes = soft.PASSWORD
) -> NodeConfig:
    """`config` with PRIVATE behind the device instead of its key file."""
    file = tmp_path / f"password-{password.hex()}"
    write_private(file, password + b"\n")
    return replace(config, consensus_key=DeviceKey(soft.library(), soft.load(PRIVATE), file))


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return Nodes(tmp_path / "files", size=1).config(0)


def test_the_configuration_says_where_the_key_is(config: NodeConfig, tmp_path: Path) -> None:
    assert isinstance(open_consensus_key(config, PASSPHRASE), SoftwareProvider)
    found = open_consensus_key(with_device(config, tmp_path), PASSPHRASE)
    assert isinstance(found, SdfProvider)
    assert found.public_key == sm2.public_key(PRIVATE)
    sm2.verify(found.public_key, b"vote", found.sign(b"vote"))


def test_a_device_is_opened_once_however_many_nodes_follow_one_another(
    config: NodeConfig, tmp_path: Path
) -> None:
    """A repaired node is followed by another in the same process, and sessions are few."""
    device = with_device(config, tmp_path)
    before = shared_device(soft.library())
    for _ in range(20):
        open_consensus_key(device, PASSPHRASE).sign(b"vote")
    assert shared_device(soft.library()) is before


def test_a_wrong_password_is_refused_and_not_shown(config: NodeConfig, tmp_path: Path) -> None:
    with pytest.raises(DeviceFault, match="check the password") as refused:
        open_consensus_key(with_device(config, tmp_path, password=b"s3cret"), PASSPHRASE)
    assert "s3cret" not in str(refused.value)


def test_without_a_file_the_environment_has_the_password(
    config: NodeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = replace(
        config, consensus_key=DeviceKey(soft.library(), soft.load(PRIVATE), password_file=None)
    )
    with pytest.raises(KeyFileInvalid, match=f"device_password_file.*{DEVICE_PASSWORD_VARIABLE}"):
        open_consensus_key(device, PASSPHRASE)
    monkeypatch.setenv(DEVICE_PASSWORD_VARIABLE, soft.PASSWORD.decode())
    assert open_consensus_key(device, PASSPHRASE).public_key == sm2.public_key(PRIVATE)


def test_a_password_file_that_others_can_read_is_refused(
    config: NodeConfig, tmp_path: Path
) -> None:
    device = with_device(config, tmp_path)
    assert isinstance(device.consensus_key, DeviceKey) and device.consensus_key.password_file
    device.consensus_key.password_file.chmod(0o644)
    with pytest.raises(KeyFileInvalid, match="chmod 600"):
        open_consensus_key(device, PASSPHRASE)


def test_a_node_does_not_start_with_the_key_of_another(config: NodeConfig, tmp_path: Path) -> None:
    """The device holds a key that the committee does not list under this node's name."""
    from node.committee import NotAMember
    from tests.node_world import OpenEngine

    with pytest.raises(NotAMember):
        Node(with_device(config, tmp_path), engine=lambda config: OpenEngine())
