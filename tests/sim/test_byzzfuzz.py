"""A fixed number of seeds of ByzzFuzz; `python -m tests.sim.byzzfuzz` tries others."""

from __future__ import annotations

from random import Random

import pytest

from consensus.pbft.messages import (
    Prepare,
    PreparedCertificate,
    ViewChange,
    decode_message,
    encode_message,
)
from ledger.errors import DecodeError
from ledger.model import Signature
from tests.sim.byzzfuzz import CutRound, Fuzz, Lie, draw, run, shrunk
from tests.sim.byzzfuzz import main as byzzfuzz_main
from tests.sim.checkers import Violation
from tests.sim.mutants import MUTANTS, Mutant, applied
from tests.sim.mutation import Known, mutate, small, wild
from tests.sim.pool import attempt

PREPARE = Prepare(view=3, height=7, digest=bytes(32))


def mutant_of(name: str) -> Mutant:
    (mutant,) = (one for one in MUTANTS if one.name == name)
    return mutant


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["small", "any"])
def test_lies_in_few_rounds_break_no_promise(scope: str) -> None:
    ran = [run(draw(seed, "small" if scope == "small" else "any")) for seed in range(1, 101)]
    assert sum(one.told for one in ran) > 5 * len(ran)
    assert any(one.accusations for one in ran)
    assert any(one.refused for one in ran)


def test_seed_draws_the_same_faults_in_both_scopes() -> None:
    for seed in range(1, 20):
        little, any_ = draw(seed, "small"), draw(seed, "any")
        assert (little.cuts, little.lies, little.size) == (any_.cuts, any_.lies, any_.size)
        assert run(little) == run(draw(seed, "small"))


def test_small_change_moves_a_number_by_one_or_takes_a_neighbours_digest() -> None:
    known = Known()
    known.learn(Prepare(view=3, height=8, digest=bytes([8]) * 32))
    seen = {mutate(PREPARE, small(random, known), random) for random in map(Random, range(60))}
    assert seen == {
        Prepare(view=2, height=7, digest=bytes(32)),
        Prepare(view=4, height=7, digest=bytes(32)),
        Prepare(view=3, height=6, digest=bytes(32)),
        Prepare(view=3, height=8, digest=bytes(32)),
        Prepare(view=3, height=7, digest=bytes([8]) * 32),
    }


def test_small_change_drops_one_item_of_the_evidence_or_changes_it() -> None:
    certificates = tuple(
        PreparedCertificate(0, height, bytes(32), (Signature(0, bytes(64)),)) for height in (1, 2)
    )
    change = ViewChange(view=1, stable=None, prepared=certificates, unfit=())
    seen = {mutate(change, small(random, Known()), random) for random in map(Random, range(80))}
    assert {one.prepared for one in seen if isinstance(one, ViewChange)} >= {
        certificates[:1],
        certificates[1:],
    }


def test_any_change_is_decoded_or_refused_with_one_typed_error() -> None:
    for seed in range(200):
        random = Random(seed)
        data = encode_message(mutate(PREPARE, wild(random), random))
        try:
            assert encode_message(decode_message(data)) == data
        except DecodeError:
            continue


def test_failure_is_shrunk_to_the_faults_that_it_needs() -> None:
    needed = Lie(0, 2, frozenset({2, 3}), "instead", 1)
    fuzz = Fuzz(
        size=4,
        liar=0,
        views=2,
        cuts=(CutRound(1, 4, frozenset({0})), CutRound(0, 5, frozenset({1}))),
        lies=(Lie(1, 3, frozenset({1}), "nothing", 3), needed),
        scope="small",
    )
    with applied(mutant_of("quorum f + 1")):
        assert isinstance(attempt(run, fuzz), str)
        assert shrunk(fuzz).cuts == ()
        assert set(shrunk(fuzz).lies) <= {needed}


def test_command_reports_the_seed_and_the_shrunk_faults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["byzzfuzz", "--runs", "2", "--jobs", "1"])
    assert byzzfuzz_main() == 0
    assert "2 seeds of small scope" in capsys.readouterr().out
    with applied(mutant_of("quorum f + 1")):
        assert byzzfuzz_main() == 1
    told = capsys.readouterr().out
    assert "--runs 1 --seed 1 --scope small\nFuzz(size=4" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("quorum f + 1", 3),
        ("promise not kept", 3),
        ("losses not repaired", 20),
        ("commit without quorum of prepares", 20),
    ],
)
def test_protocol_with_a_mistake_fails_a_seed(name: str, seeds: int) -> None:
    with applied(mutant_of(name)), pytest.raises(Violation):
        for seed in range(1, 1 + seeds):
            run(draw(seed))
