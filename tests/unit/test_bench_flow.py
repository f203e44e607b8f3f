"""The load of business: what waits is not sent, what may go is, and no limit is passed."""

from __future__ import annotations

from bench.flow import Case, Flow, Signed


def case(name: str, *stages: int) -> Case:
    """Stages of so many transactions, named NAME-STAGE-PLACE."""
    return [
        [Signed(f"{name}-{number}-{place}".encode(), b"") for place in range(count)]
        for number, count in enumerate(stages)
    ]


def due(flow: Flow, count_max: int = 100) -> list[str]:
    return [item.id.decode() for item in flow.due(count_max)]


def test_a_stage_is_sent_when_all_of_the_one_before_is_final() -> None:
    flow = Flow([case("a", 1, 2, 1)], open_max=9, window=9)
    assert due(flow) == ["a-0-0"]
    flow.note({b"a-0-0"})
    assert due(flow) == ["a-1-0", "a-1-1"]
    flow.note({b"a-0-0", b"a-1-1"})
    assert due(flow) == []
    flow.note({b"a-0-0", b"a-1-1", b"a-1-0"})
    assert due(flow) == ["a-2-0"]
    assert not flow.is_done
    flow.note({b"a-2-0"})
    assert flow.is_done
    assert flow.ended == 4


def test_a_case_begins_when_another_ends() -> None:
    flow = Flow([case(name, 1) for name in "abc"], open_max=2, window=9)
    assert due(flow) == ["a-0-0", "b-0-0"]
    assert due(flow) == []
    flow.note({b"b-0-0"})
    assert due(flow) == ["c-0-0"]


def test_no_more_are_under_way_than_the_window_and_the_batch_take() -> None:
    flow = Flow([case("a", 5)], open_max=9, window=3)
    assert due(flow, 2) == ["a-0-0", "a-0-1"]
    assert due(flow, 2) == ["a-0-2"]
    assert due(flow, 2) == []
    flow.note({b"a-0-1"})
    assert due(flow, 2) == ["a-0-3"]


def test_what_others_made_final_moves_nothing() -> None:
    flow = Flow([case("a", 1, 1)], open_max=9, window=9)
    due(flow)
    flow.note({b"another"})
    assert (due(flow), flow.ended) == ([], 0)
