"""Configuration of an executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.config import load_config, render_config
from executors.errors import ConfigInvalid, TaskRefused
from executors.home import engines_for, only_one


def rendered() -> str:
    return render_config(party="supplier-a", node="127.0.0.1:27500", key="keys/supplier-a.pem")


def saved(folder: Path, text: str) -> Path:
    path = folder / "executor.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_generated_configuration_is_valid(tmp_path: Path) -> None:
    config = load_config(saved(tmp_path, rendered()))
    assert config.party == "supplier-a"
    assert config.home == tmp_path
    assert config.key == tmp_path / "keys/supplier-a.pem"
    assert list(engines_for(config)) == ["statistics/1"]


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ('"a:1"', ("a:1",)),
        ('"sm://[::1]:1"', ("sm://[::1]:1",)),
        ('["a:1", "b:2", "a:1"]', ("a:1", "b:2")),
    ],
)
def test_one_node_or_several_may_be_named(
    tmp_path: Path, text: str, nodes: tuple[str, ...]
) -> None:
    changed = rendered().replace('"127.0.0.1:27500"', text)
    assert load_config(saved(tmp_path, changed)).nodes == nodes


def test_files_for_nodes_on_other_machines_are_named_in_the_chain_table(tmp_path: Path) -> None:
    assert load_config(saved(tmp_path, rendered())).tls_files == {}
    text = rendered().replace("# tls_", "tls_")
    assert load_config(saved(tmp_path, text)).tls_files == {
        "tls_ca": tmp_path / "tls/ca.crt",
        "tls_crl": tmp_path / "tls/ca.crl",
        "tls_certificate": tmp_path / "tls/executor.crt",
        "tls_key": tmp_path / "tls/executor.pem",
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('party = "supplier-a"', 'party = "Supplier A"', "party must be text of the form"),
        ('["statistics/1"]', '["magic/1"]', "algorithms must list some of statistics/1"),
        ('["statistics/1"]', "[]", "algorithms must list"),
        ('node = "127.0.0.1:27500"', 'node = "http://x"', "node must be text"),
        ('node = "127.0.0.1:27500"', 'node = ["a:1", "http://x"]', "or a list of such"),
        ('node = "127.0.0.1:27500"', "node = []", "a list of 1 to 64 texts"),
        ('node = "127.0.0.1:27500"', "node = 7", "node must be text"),
        ("port_high = 24999", "port_high = 23000", "from 24000 to 65535"),
        ("tasks_max = 2", 'tasks_max = "2"', "must be a whole number from 1 to 64"),
        ("tasks_max = 2", "tasks_max = true", "must be a whole number"),
        ("tasks_max = 2", "tasks_maxi = 2\ntasks_max = 2", "tasks_maxi is an unknown entry"),
        ('level = "info"', 'level = "loud"', "must be one of debug"),
        ('level = "info"', "level = info", "Expected newline"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    lines = rendered().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if old in line and line[0] != "#")
    text = "\n".join([*lines[: number - 1], lines[number - 1].replace(old, new), *lines[number:]])
    with pytest.raises(ConfigInvalid, match=sentence) as error:
        load_config(saved(tmp_path, text))
    assert error.value.line == number
    assert str(error.value).startswith(f"{tmp_path}/executor.toml:{number}: ")


def test_a_missing_entry_is_named_at_its_table(tmp_path: Path) -> None:
    text = rendered().replace('party = "supplier-a"', "")
    with pytest.raises(ConfigInvalid, match=r"\[executor\] lacks party; add it") as error:
        load_config(saved(tmp_path, text))
    assert text.splitlines()[error.value.line - 1] == "[executor]"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        load_config(tmp_path / "bad.toml")


def test_a_second_executor_in_one_home_is_refused(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(TaskRefused, match="already"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_an_executor_may_take_its_passphrase_from_elsewhere(tmp_path: Path) -> None:
    line = 'passphrase_file = "keys/passphrase"\n'
    assert load_config(saved(tmp_path, rendered())).passphrase_file is not None
    assert load_config(saved(tmp_path, rendered().replace(line, ""))).passphrase_file is None
