"""The file of what is trusted: whole or not at all, its owner's, and of one chain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from client.light.errors import ForkKept, ForkSeen, TrustDamaged
from client.light.trusted import (
    TAG_TRUSTED,
    Trusted,
    decode_trusted,
    encode_trusted,
    with_certificates,
)
from client.light.vault import SAVE_EVERY_MS, Vault, chains_in, load_any
from crypto import sm3
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.genesis import chain_id
from ledger.model import ExecutionCertificate
from tests.bundle_world import claim_of, moved, resigned
from tests.light_world import trusting

GENESIS = moved().genesis
CHAIN = chain_id(GENESIS)
CERTIFICATE = claim_of(moved().transaction).certificate


def vault_in(folder: Path) -> Vault:
    return Vault(folder / "trust", CHAIN)


def later(by_ms: int) -> ExecutionCertificate:
    statement = CERTIFICATE.statement
    return resigned(replace(statement, height=6, time_ms=statement.time_ms + by_ms))


def trusted(*certificates: ExecutionCertificate) -> Trusted:
    return replace(trusting(GENESIS), certificates=certificates)


def test_what_is_saved_is_found_again_and_is_the_owners_alone(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    assert vault.load() is None
    known = replace(trusted(CERTIFICATE), changes=moved().state.committee_changes)
    vault.save(known)
    assert vault.load() == known
    assert vault.path.stat().st_mode & 0o777 == 0o600
    assert vault.path.parent.stat().st_mode & 0o777 == 0o700
    assert chains_in(tmp_path / "trust") == [vault.path]
    assert load_any(vault.path) == known


def test_two_commands_add_to_each_other(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))
    vault.save(trusted(later(SAVE_EVERY_MS)))
    found = vault.load()
    assert found is not None
    assert [c.statement.height for c in found.certificates] == [5, 6]


def test_a_head_that_is_a_little_newer_is_not_worth_a_write(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))
    before = vault.path.stat().st_ino
    vault.save(trusted(later(SAVE_EVERY_MS - 1)))
    assert vault.path.stat().st_ino == before
    vault.save(trusted(later(SAVE_EVERY_MS)))
    assert vault.path.stat().st_ino != before


def test_a_fork_between_two_commands_changes_nothing(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))
    other = resigned(replace(CERTIFICATE.statement, state_root=b"\1" * 32))
    with pytest.raises(ForkSeen):
        vault.save(trusted(other))
    assert vault.load() == trusted(CERTIFICATE)


def test_after_a_fork_nothing_is_believed_until_the_evidence_is_moved(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))
    other = resigned(replace(CERTIFICATE.statement, state_root=b"\1" * 32))
    path = vault.keep_fork(ForkSeen("two outcomes", CERTIFICATE, other))
    sentence, kept = decode(path.read_bytes(), tuple[str, tuple[bytes, bytes]], size_max=1 << 20)
    assert sentence == "two outcomes"
    assert [decode(c, ExecutionCertificate, size_max=1 << 20) for c in kept] == [CERTIFICATE, other]
    with pytest.raises(ForkKept, match=str(path)):
        vault.load()
    path.rename(tmp_path / "evidence")
    assert vault.load() == trusted(CERTIFICATE)


def test_a_file_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted())
    vault.path.chmod(0o620)
    with pytest.raises(TrustDamaged, match="chmod 600"):
        vault.load()


def test_the_file_of_another_chain_is_not_used(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted())
    other = Vault(tmp_path / "trust", CHAIN[:8] + bytes(24))
    assert other.path == vault.path, "their ids begin alike"
    with pytest.raises(TrustDamaged, match=CHAIN.hex()):
        other.load()


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))
    good = vault.path.read_bytes()
    for bad in (b"", good[:-1], b"hello", b"shuxin/light/9\0" + good, good + b"\0"):
        vault.path.write_bytes(bad)
        with pytest.raises(TrustDamaged, match="Remove it"):
            vault.load()


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = vault_in(tmp_path)
    vault.save(trusted(CERTIFICATE))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        vault.save(trusted(later(SAVE_EVERY_MS)))
    assert vault.load() == trusted(CERTIFICATE)
    assert sorted(p.name for p in (tmp_path / "trust").iterdir()) == [".lock", vault.path.name]


def test_heights_that_do_not_ascend_are_damage() -> None:
    known = trusted(later(1), CERTIFICATE)
    with pytest.raises(DecodeError, match="ascend"):
        decode_trusted(encode_trusted(known))


# --- any state, any damage ------------------------------------------------------------------


@st.composite
def states(draw: st.DrawFn) -> Trusted:
    heights = draw(st.sets(st.integers(8, 1 << 40), max_size=20))
    statement = CERTIFICATE.statement
    seen = [
        resigned(replace(statement, height=height, time_ms=statement.time_ms + height))
        for height in heights
    ]
    count = draw(st.integers(0, 2))
    return Trusted(
        chain_id=CHAIN,
        committee=GENESIS.validators,
        heartbeat_ms=draw(st.integers(1, 1 << 40)),
        source=draw(st.text(max_size=40)),
        since_ms=draw(st.integers(0, 1 << 45)),
        changes=moved().state.committee_changes[:count],
        certificates=with_certificates((), seen),
    )


@given(states())
@settings(max_examples=60)
def test_what_is_trusted_survives_its_bytes(known: Trusted) -> None:
    data = encode_trusted(known)
    assert decode_trusted(data) == known
    assert encode_trusted(decode_trusted(data)) == data


@given(states(), st.data())
@settings(max_examples=200)
def test_any_other_bytes_are_refused_by_one_error(known: Trusted, data: st.DataObject) -> None:
    good = encode_trusted(known)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(bad), good[:place]):
        with pytest.raises(DecodeError):
            decode_trusted(damaged)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_a_good_digest_over_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_trusted(TAG_TRUSTED + sm3.digest(body) + body)
