"""The node's configuration: what is generated loads, what is wrong is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import CertificateRefused, KeyFileInvalid
from crypto.x509.read import CERTIFICATE, encode_pem
from ledger.versions import PROVABLE_HEIGHTS_MAX, VERSIONS_MIN
from node.config import ConfigInvalid, DeviceKey, Keep, NodeConfig, load_config
from node.config_template import render_config
from node.keys import read_roots
from tests.x509_world import organization

PEERS = {"node1": "/ip4/127.0.0.1/tcp/7002", "node2": "/ip4/127.0.0.1/tcp/7003"}


def rendered() -> str:
    return render_config(
        name="node0",
        genesis="../genesis.json",
        listen="/ip4/127.0.0.1/tcp/7001",
        api="127.0.0.1:7101",
        peers=PEERS,
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_generated_configuration_loads(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, rendered()))
    assert config.name == "node0"
    assert config.peers == PEERS
    assert config.data_dir == tmp_path / "data"
    assert not config.allow_unjailed
    assert config.provable_heights == VERSIONS_MIN
    assert (config.has_history, config.history_keep_blocks) == (True, 0)


def test_ranges_of_addresses_are_read_and_what_is_none_is_refused(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, rendered())).allowed_ranges == ()
    line = '# allow = ["10.0.0.0/8"]'
    assert line in rendered()
    good = rendered().replace(line, 'allow = ["10.0.0.0/8", "fd00::/8"]')
    found = load_config(written(tmp_path, good)).allowed_ranges
    assert [str(one) for one in found] == ["10.0.0.0/8", "fd00::/8"]
    for bad in ("10.0.0.1/8", "everywhere"):
        text = rendered().replace(line, f'allow = ["{bad}"]')
        with pytest.raises(ConfigInvalid, match="holds no range like"):
            load_config(written(tmp_path, text))


def test_roots_that_the_operator_vouches_for_are_roots_in_files(tmp_path: Path) -> None:
    line = '# roots = ["roots/health-2.crt"]'
    assert line in rendered()
    assert load_config(written(tmp_path, rendered())).roots == ()
    text = rendered().replace(line, 'roots = ["young.crt"]')
    config = load_config(written(tmp_path, text))
    young = tmp_path / "young.crt"
    with pytest.raises(KeyFileInvalid, match=r"young.crt.*\[network\] roots"):
        read_roots(config)
    org = organization()
    young.write_bytes(encode_pem(org.root.der, CERTIFICATE))
    assert read_roots(config) == (org.root,)
    young.write_bytes(encode_pem(org.leaf().der, CERTIFICATE))
    with pytest.raises(CertificateRefused, match="which is no root"):
        read_roots(config)
    young.write_bytes(b"-----BEGIN CERTIFICATE-----\nMIIB")
    with pytest.raises(CertificateRefused):
        read_roots(config)


def test_configurations_of_earlier_releases_load(tmp_path: Path) -> None:
    head, _, rest = rendered().partition("[ledger]")
    earlier = head + rest[rest.index("[contracts]") :]
    assert load_config(written(tmp_path, earlier)).provable_heights == VERSIONS_MIN


def test_how_many_heights_are_provable_has_bounds(tmp_path: Path) -> None:
    line = f"provable_heights = {VERSIONS_MIN}"
    most = rendered().replace(line, f"provable_heights = {PROVABLE_HEIGHTS_MAX}")
    assert load_config(written(tmp_path, most)).provable_heights == PROVABLE_HEIGHTS_MAX
    for bad in (VERSIONS_MIN - 1, PROVABLE_HEIGHTS_MAX + 1):
        text = rendered().replace(line, f"provable_heights = {bad}")
        with pytest.raises(ConfigInvalid, match="provable_heights must be"):
            load_config(written(tmp_path, text))


def test_a_configuration_of_an_older_release_keeps_all_history(tmp_path: Path) -> None:
    text = rendered()
    begin, end = text.index("[history]"), text.index("[log]")
    config = load_config(written(tmp_path, text[:begin] + text[end:]))
    assert (config.has_history, config.history_keep_blocks) == (True, 0)
    section = text[begin:end].replace("enabled = true", "enabled = false")
    section = section.replace("blocks = 0", "blocks = 7")
    config = load_config(written(tmp_path, text[:begin] + section + text[end:]))
    assert (config.has_history, config.history_keep_blocks) == (False, 7)


def test_a_configuration_from_before_snapshots_loads(tmp_path: Path) -> None:
    """It executes every block, as it did, and makes snapshots for others."""
    text = rendered()
    begin, end = text.index("[sync]"), text.index("[contracts]")
    config = load_config(written(tmp_path, text[:begin] + text[end:]))
    assert (config.sync_mode, config.sync_behind_max) == ("blocks", 20_000)
    assert config.snapshots_every == 2_000


def test_every_generated_entry_is_explained(tmp_path: Path) -> None:
    lines = rendered().splitlines()
    for number, line in enumerate(lines):
        if "=" in line and not line.startswith(("#", "node1", "node2")):
            above = lines[:number]
            block = above[max(i for i, text in enumerate([*above]) if text.startswith("[")) :]
            assert any(text.startswith("#") for text in block), line


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('level = "info"', 'level = "loud"', "level", "one of debug"),
        ("threads = 24", "threads = 0", "threads", "whole number from 4"),
        ("threads = 24", 'threads = "24"', "threads", "whole number"),
        ("threads = 24", "treads = 24", "[api]", "lacks threads"),
        ("[log]", "colour = 1\n[log]", "colour", "unknown entry"),
        ('listen = "/ip4', 'listen = "ip4', "listen", "form"),
        ("enabled = true", "enabled = 1", "enabled", "true or false"),
        ("keep_blocks = 0", "keep_blocks = -1", "keep_blocks", "whole number from 0"),
        ("keep_blocks = 0", "keep = 0", "keep", "unknown entry"),
        ("allow_unjailed = false", "allow_unjailed = 0", "allow_unjailed", "true or false"),
        ('node1 = "/ip4', 'node1 = "ip4', "node1", "multiaddress"),
        ('name = "node0"', 'name = "Node 0"', "name", "form"),
        ("keep_blocks = 0", "keep_blocks = -1", "keep_blocks", "whole number from 0"),
        ("keep_blocks = 0", "keep_blocks = true", "keep_blocks", "whole number"),
        ("keep_blocks = 0", "keep_blocks = 9", "keep_blocks", "set [archive] directory"),
        ("keep_days = 0", "keep_days = 9", "keep_days", "or discard = true"),
        ("keep_days = 0", "keep_weeks = 9", "keep_weeks", "unknown entry"),
        ("# discard = true", "discard = true", "discard", "set [ledger] keep_blocks"),
        ("# discard = true", "discard = 1", "discard", "true or false"),
        ('# directory = "archive"', 'directory = "archive"', "directory", "while all is kept"),
        ('# directory = "archive"', "directory = 1", "directory", "form"),
        ('mode = "blocks"', 'mode = "fast"', "mode", "one of blocks, snapshot"),
        ("behind_max = 20000", "behind_max = 0", "behind_max", "whole number from 1"),
        ('# device_library = "/usr', 'device_library = "/usr', "consensus_key", "contradicts"),
        ("every_blocks = 2000", "every_blocks = -1", "every_blocks", "whole number from 0"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: str, says: str
) -> None:
    text = rendered().replace(old, new, 1)
    with pytest.raises(ConfigInvalid) as caught:
        load_config(written(tmp_path, text))
    assert says in str(caught.value)
    assert line in text.splitlines()[caught.value.line - 1]


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load_config(written(tmp_path, rendered().replace('name = "node0"', "name = ", 1)))
    assert caught.value.line == 6


def test_entries_nested_beyond_reading_are_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("a = " + "[" * 10_000)
    with pytest.raises(ConfigInvalid, match=r"node\.toml"):
        load_config(path)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_config(tmp_path / "absent.toml")


def test_a_key_in_a_device_is_named_by_library_and_index(tmp_path: Path) -> None:
    def keyed(index: str, *, password: bool) -> NodeConfig:
        text = rendered().replace('consensus_key = "keys/consensus.pem"\n', "", 1)
        text = text.replace("# device_library", "device_library", 1)
        text = text.replace("# device_key_index = 1", index, 1)
        if password:
            text = text.replace("# device_password_file", "device_password_file", 1)
        return load_config(written(tmp_path, text))

    library, file = Path("/usr/lib/libsdf.so"), tmp_path / "keys" / "device-password"
    found = keyed("device_key_index = 7", password=True).consensus_key
    assert found == DeviceKey(library, 7, file)
    found = keyed("device_key_index = 7", password=False).consensus_key
    assert found == DeviceKey(library, 7, None)
    for index in ("", "device_key_index = 0", "device_key_index = 5000"):
        with pytest.raises(ConfigInvalid, match="device_key_index"):
            keyed(index, password=True)


def test_what_is_kept_and_where_the_rest_goes(tmp_path: Path) -> None:
    def keep(*changes: tuple[str, str]) -> Keep:
        text = rendered()
        for old, new in changes:
            text = text.replace(old, new, 1)
        return load_config(written(tmp_path, text)).keep

    assert keep() == Keep() and keep().is_all
    blocks, days = ("keep_blocks = 0", "keep_blocks = 9"), ("keep_days = 0", "keep_days = 3")
    folder = ('# directory = "archive"', 'directory = "/mnt/a"')
    nowhere = ("# discard = true", "discard = true")
    assert keep(blocks, folder) == Keep(9, 0, Path("/mnt/a"))
    assert keep(blocks, days, nowhere) == Keep(9, 3, None)
    with pytest.raises(ConfigInvalid, match="contradicts directory"):
        keep(blocks, folder, nowhere)
    lines = "[ledger]\nkeep_blocks = 0\n", "[archive]\n"
    text = rendered().replace(*lines, 1)
    assert load_config(written(tmp_path, text.replace("keep_days = 0", ""))).keep.is_all


@given(st.text(max_size=300))
def test_any_text_loads_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("config") / "node.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ConfigInvalid):
        load_config(path)
