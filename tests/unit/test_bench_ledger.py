"""`make bench-ledger` compares like with like, and says and fails when a bound is missed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import ledger, ledger_chain, ledger_report
from bench.ledger_report import Size, bounds
from bench.ledger_size import WALL, WRITES, Bench, Memory, Opening, Sample
from ledger.store import Store

SAMPLE = Sample(0.010, 0.005, 0.003, 0.001, 900_000, 100_000, 5e-6, 2e-5, 2e-5, 1e-5, 1e-5, 500.0)


def size(keys: int, sample: Sample = SAMPLE) -> Size:
    memory = Memory(50_000_000, 80_000_000)
    return Size(keys, 1.0, memory, [sample] * 3, [Opening(0.5)], memory)


def test_sizes_take_turns_in_processes_of_their_own(tmp_path: Path) -> None:
    found = ledger.measure(tmp_path, [WRITES, 2 * WRITES], rounds=2)
    assert [(one.keys, len(one.samples), len(one.openings)) for one in found] == [
        (WRITES, 2, 2),
        (2 * WRITES, 2, 2),
    ]
    assert all(one.worked is not None and one.worked.held > 1 << 20 for one in found)
    text, _ = ledger_report.render(found)
    assert f"| commit / raw batch, {WRITES:,} to {2 * WRITES:,} keys |" in text
    assert f"| {WRITES:,} to {2 * WRITES:,} keys, in seconds |" in text


def test_kept_ledgers_are_used_again_and_waiting_is_no_processor_time(tmp_path: Path) -> None:
    ledger.measure(tmp_path, [WRITES], rounds=1)
    head = Store.open(tmp_path / str(WRITES) / "ledger")
    height = head.height
    head.close()
    again = ledger.measure(tmp_path, [WRITES], rounds=1, clock="cpu")
    head = Store.open(tmp_path / str(WRITES) / "ledger")
    assert head.height == height + 1  # loaded anew, it would be `height`
    head.close()
    assert "processor time alone" in ledger_report.render(again, "cpu")[0]


def test_a_child_that_fails_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "loading").write_bytes(b"")  # in the way of the new one
    with (
        ledger.Child(tmp_path, WRITES, WALL) as child,
        pytest.raises(RuntimeError, match="keys failed"),
    ):
        child.ask("memory", Memory)


def test_the_loaded_ledger_is_whole_whatever_the_number_of_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heights = []
    for slice_keys in (100, 5_000):
        monkeypatch.setattr(ledger_chain, "SLICE_KEYS", slice_keys)
        path = tmp_path / str(slice_keys)
        ledger_chain.load(path, 1_000)
        store = Store.open(path)
        store.scrub()
        present = [store.get(ledger_chain.NAMESPACE, ledger_chain.key_of(i)) for i in range(1_001)]
        assert None not in present[:-1] and present[-1] is None
        heights.append(store.height)
        store.close()
    assert heights == [9, 0]


def test_a_round_writes_the_raw_batches_of_its_own_commit(tmp_path: Path) -> None:
    ledger_chain.load(tmp_path / "ledger", WRITES)
    bench = Bench(tmp_path, WRITES)
    try:
        sample = bench.round()
        stored = dict(bench.raw)
        assert sum(len(key) + len(value) for key, value in stored.items()) == sample.raw_bytes
        snapshot = bench.chain.store._disk.snapshot()
        assert all(snapshot.get(key) == value for key, value in stored.items())
        assert sample.raw_state_bytes < sample.raw_bytes
    finally:
        bench.close()


def test_a_commit_beyond_its_bound_is_said_and_fails() -> None:
    text, is_met = ledger_report.render([size(1_000_000)])
    assert is_met and "| commit / raw batch, 1,000,000 keys | 5.00 | 6.00 | met |" in text
    text, is_met = ledger_report.render([size(1_000_000, replace(SAMPLE, stage=0.016))])
    assert not is_met and "| commit / raw batch, 1,000,000 keys | 7.00 | 6.00 | MISSED |" in text


def test_growth_beyond_the_logarithm_is_a_miss_for_each_cost() -> None:
    assert all(bound.is_met for bound in bounds([size(10_000), size(100_000)]))
    for cost in ("store", "prove_present", "prove_absent", "check_present", "check_absent"):
        slower = replace(SAMPLE, **{cost: 2 * getattr(SAMPLE, cost)})
        missed = [one for one in bounds([size(10_000), size(100_000, slower)]) if not one.is_met]
        assert len(missed) == 1 and missed[0].most == pytest.approx(1.25)


def test_growth_is_counted_from_the_smallest_size_and_in_raw_batches() -> None:
    times = [name for name in Sample.__dataclass_fields__ if not name.endswith("bytes")]
    slow_machine = replace(SAMPLE, **{name: 3 * getattr(SAMPLE, name) for name in times})
    assert all(one.is_met for one in bounds([size(10_000), size(100_000, slow_machine)]))
    slower = replace(SAMPLE, stage=SAMPLE.stage * 1.6)  # 1.4 times the commit
    one_step = [size(10_000), size(100_000), size(1_000_000, slower)]
    assert [one.name for one in bounds(one_step) if not one.is_met] == [
        "commit / raw batch, 1,000,000 keys"
    ]
    two_steps = [size(10_000), size(100_000, slower), size(1_000_000, slower)]
    assert [one.measured for one in bounds(two_steps) if not one.is_met] == pytest.approx([7, 1.4])
