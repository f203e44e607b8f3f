"""Audit across changes of the committee: whole ledgers hold, forged ones are told where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import plyvel
import pytest
from msgspec.structs import replace

from cli.main import main
from ledger.base import OPEN_CHECK_BLOCKS
from ledger.encoding import decode, encode
from ledger.model import ExecutionStatement, ValidatorSet
from ledger.schema import (
    CERTIFIED_KEY,
    COMMIT_CERTIFICATE,
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    STATEMENT,
    at_height,
    number,
)
from node.audit import Verdict, replay
from node.bootstrap import LEDGER
from tests.moving_chain import Chain, Moving


@dataclass(frozen=True, slots=True)
class Forgery:
    """A copy of a ledger, changed behind LevelDB's checksums."""

    chain: Chain
    data: Path

    def edit(self, *changes: tuple[bytes, bytes | None]) -> None:
        with plyvel.DB(str(self.data / LEDGER / "db"), bloom_filter_bits=10) as database:
            for key, value in changes:
                if value is None:
                    assert database.get(key) is not None
                    database.delete(key)
                else:
                    database.put(key, value)

    def verdict(self) -> Verdict:
        return replay(self.data, self.chain.genesis, advance=lambda done, total: None)

    def diverges(self, height: int, *words: str) -> None:
        divergence = self.verdict().divergence
        assert divergence is not None, "the forgery was not found"
        assert divergence.height == height, divergence.sentence()
        for word in words:
            assert word in divergence.sentence()


@pytest.fixture
def forgery(moving: Moving, tmp_path: Path) -> Forgery:
    data = tmp_path / "data"
    shutil.copytree(moving.chain.data, data)
    return Forgery(moving.chain, data)


def bent(validators: ValidatorSet) -> bytes:
    """The committee with another peer id in it, well encoded."""
    first, *rest = validators.validators
    return encode(ValidatorSet((replace(first, peer_id=first.peer_id[::-1]), *rest)))


def test_a_ledger_with_changes_of_the_committee_is_intact(forgery: Forgery, moving: Moving) -> None:
    verdict = forgery.verdict()
    assert verdict.divergence is None
    assert (verdict.height, verdict.certified_height) == (moving.head, moving.head)
    assert moving.second_base < moving.head - OPEN_CHECK_BLOCKS, "it is not opening that looks"


# --- the table of committees ------------------------------------------------------------------


def test_an_altered_committee_is_found_where_it_takes_over(
    forgery: Forgery, moving: Moving
) -> None:
    base = moving.first_base
    committee = moving.chain.committee(base + 1)
    forgery.edit((at_height(COMMITTEE, base), bent(committee)))
    digest = committee.digest.hex()
    forgery.diverges(base, "the next committee", f"expected {digest} from {base + 1}")


def test_a_missing_committee_is_found(forgery: Forgery, moving: Moving) -> None:
    base = moving.first_base
    forgery.edit((at_height(COMMITTEE, base), None))
    forgery.diverges(base, "the next committee", f"from {base + 1}")


def test_the_last_committee_missing_is_found_when_the_ledger_is_opened(
    forgery: Forgery, moving: Moving
) -> None:
    forgery.edit((at_height(COMMITTEE, moving.second_base), None))
    first_checked = moving.head - OPEN_CHECK_BLOCKS + 1
    forgery.diverges(first_checked, "not the one in the table of committees")


def test_a_committee_that_no_block_decided_is_found(forgery: Forgery, moving: Moving) -> None:
    base = moving.first_base - 2
    forgery.edit((at_height(COMMITTEE, base), bent(moving.chain.genesis.validators)))
    forgery.diverges(base, "the next committee")


def test_a_committee_beside_the_coming_one_is_found(forgery: Forgery, moving: Moving) -> None:
    base = moving.coming_base - 1
    forgery.edit((at_height(COMMITTEE, base), bent(moving.chain.genesis.validators)))
    forgery.diverges(base, "the next committee")


@pytest.mark.parametrize("is_missing", [False, True])
def test_a_coming_committee_that_is_not_what_was_decided_is_found(
    forgery: Forgery, moving: Moving, is_missing: bool
) -> None:
    base = moving.coming_base
    assert base > moving.head
    other = None if is_missing else bent(moving.chain.genesis.validators)
    forgery.edit((at_height(COMMITTEE, base), other))
    forgery.diverges(base, "the next committee")


# --- certificates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("first_base", "3 signatures, but a quorum of 5 validators is 4"),
        ("second_base", "signature in its commit certificate"),
    ],
)
def test_a_block_that_the_committee_before_ordered_is_found(
    forgery: Forgery, moving: Moving, change: str, says: str
) -> None:
    height = getattr(moving, change) + 1
    chain = moving.chain
    before = chain.committee(height - 1)
    certificate = chain.reordered(chain.store.block(height), before)
    forgery.edit((at_height(COMMIT_CERTIFICATE, height), encode(certificate)))
    forgery.diverges(height, says)


def test_a_block_that_the_committee_before_certified_is_found(
    forgery: Forgery, moving: Moving
) -> None:
    height = moving.second_base + 1
    chain = moving.chain
    certificate = chain.certified(chain.store.statement(height), chain.committee(height - 1))
    forgery.edit((at_height(EXECUTION_CERTIFICATE, height), encode(certificate)))
    forgery.diverges(height, "signature in its execution certificate")


def test_a_committee_that_certified_its_own_entry_is_found(
    forgery: Forgery, moving: Moving
) -> None:
    base = moving.second_base
    chain = moving.chain
    certificate = chain.certified(chain.store.statement(base), chain.committee(base + 1))
    forgery.edit((at_height(EXECUTION_CERTIFICATE, base), encode(certificate)))
    forgery.diverges(base, "signature in its execution certificate")


def test_the_last_block_of_a_committee_without_a_certificate_is_found(
    forgery: Forgery, moving: Moving
) -> None:
    base = moving.second_base
    forgery.edit((at_height(EXECUTION_CERTIFICATE, base), None), (CERTIFIED_KEY, number(base - 1)))
    forgery.diverges(base, "it ends an epoch and has no execution certificate")


# --- statements -------------------------------------------------------------------------------


def _named(chain: Chain, height: int, digest: bytes) -> ExecutionStatement:
    return replace(chain.store.statement(height), next_validators_hash=digest)


@pytest.mark.parametrize(
    ("offset", "is_signed"),
    [(0, False), (-1, True), (0, True)],
    ids=["at", "before-signed", "at-signed"],
)
def test_a_statement_that_names_another_next_committee_is_found(
    forgery: Forgery, moving: Moving, offset: int, is_signed: bool
) -> None:
    """Even when a quorum of the right committee signed it."""
    height = moving.first_base + offset
    chain = moving.chain
    true = chain.store.statement(height).next_validators_hash
    wrong = chain.committee(height if offset == 0 else moving.second_base + 1).digest
    statement = _named(chain, height, wrong)
    forgery.edit((at_height(STATEMENT, height), encode(statement)))
    if is_signed:
        certificate = chain.certified(statement, chain.committee(height))
        forgery.edit((at_height(EXECUTION_CERTIFICATE, height), encode(certificate)))
    forgery.diverges(height, "next_validators_hash", true.hex(), wrong.hex())


# --- shuxin node verify -----------------------------------------------------------------------


def verified(forgery: Forgery, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["node", "verify", str(forgery.data)])
    return code, capsys.readouterr().out


def test_verify_accepts_the_ledger(forgery: Forgery, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(forgery, capsys)[0] == 0


Alter = Callable[[bytes], bytes]


@pytest.mark.parametrize("change", ["first_base", "second_base", "coming_base"])
@pytest.mark.parametrize(
    "alter",
    [lambda row: row[:-1], lambda row: bent(decode(row, ValidatorSet, size_max=1 << 20))],
    ids=["malformed", "other"],
)
def test_verify_finds_an_altered_committee_and_names_it(
    forgery: Forgery,
    moving: Moving,
    change: str,
    alter: Alter,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = getattr(moving, change)
    committee = next(e for e in moving.chain.store.epochs.all if e.base == base).validators
    forgery.edit((at_height(COMMITTEE, base), alter(encode(committee))))
    code, said = verified(forgery, capsys)
    assert code == 1
    assert "damaged" in said and "committee" in said
