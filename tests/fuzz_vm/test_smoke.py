"""A few rounds of the job `make fuzz-vm`, and that it would see what it looks for."""

from __future__ import annotations

import random

import pytest

from contracts.vm import guards_text
from contracts.vm.check import check_source
from contracts.vm.host import Worker
from tests.fuzz_vm.__main__ import round_of
from tests.fuzz_vm.compare import Differs, compare_source, drawn
from tests.fuzz_vm.reference import World

PROGRAM = """from __future__ import annotations
from contracts.dialect import Map, Var, call, emit
total = Var(int)


@call
def main(a: int, b: int, s: str, t: str, xs: list[int], flag: bool) -> str:
    total.set(total.get(0) + len(xs))
    emit("Seen", one=a, two=xs)
    return "Ab".lower()
"""


@pytest.mark.slow
def test_rounds_of_the_job_find_nothing() -> None:
    with Worker() as worker:
        for number in range(60):
            round_of(number, worker)
        assert worker.restarts == 0


def test_a_round_depends_on_its_number_alone() -> None:
    assert drawn(7) == drawn(7) != drawn(8)
    assert all(f.severity == "warning" for f in check_source(drawn(7)))


def test_a_guard_that_answers_wrongly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    compare_source(PROGRAM, random.Random(1))
    monkeypatch.setattr(guards_text, "_LOWER", {ord("A"): "b"})
    with pytest.raises(Differs, match="'bb' is not 'ab'"):
        compare_source(PROGRAM, random.Random(1))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (("+ len(xs)", "+ len(xs) + 1"), "stored"),
        (("one=a", "one=b"), "events"),
        (('"Ab".lower()', "xs"), "is not"),
    ],
)
def test_a_reference_that_does_something_else_is_seen(
    change: tuple[str, str], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = World.__init__

    def changed(self: World, source: str, *, sender: str) -> None:
        before(self, source.replace(*change), sender=sender)

    monkeypatch.setattr(World, "__init__", changed)
    with pytest.raises(Differs, match=seen):
        compare_source(PROGRAM, random.Random(2))


def test_a_valid_program_that_check_refuses_is_seen() -> None:
    with pytest.raises(Differs, match="refuses a valid program"):
        compare_source(PROGRAM.replace('"Ab".lower()', "1"), random.Random(1))
