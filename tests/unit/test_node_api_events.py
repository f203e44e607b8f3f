"""What a stream of events costs who asks for the past."""

from __future__ import annotations

from itertools import takewhile

import pytest

from client.node import NodeClient
from node.api import service
from node.api.quotas import Rates
from tests.access_world import porter
from tests.moving_chain import Moving, served

RATES = Rates(caller=100, host=8, anonymous=100, total=100)


def heights_of(node: str, head: int) -> list[int]:
    """Where the events of the whole past stand, asked in one stream."""
    with NodeClient(node) as client:
        past = takewhile(lambda event: event.height < head, client.events(from_height=0))
        return [event.height for event in past if event.name]


def test_who_reads_the_past_rests_when_its_quota_is_used_up_and_misses_nothing(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = moving.chain.store.height
    rests: list[float] = []
    monkeypatch.setattr(service, "EVENTS_BLOCKS_MAX", 8)
    monkeypatch.setattr(service, "BLOCKS_PER_UNIT", 2)
    monkeypatch.setattr("node.api.service.time.sleep", rests.append)
    with served(moving.chain) as node:
        expected = heights_of(node, head)
    assert set(rests) == {0.0}, "somebody with a large quota"
    batches = len(rests)
    assert batches >= 3
    rests.clear()
    with served(moving.chain, let_in=porter(rates=RATES, now_s=lambda: 0.0)) as node:
        assert heights_of(node, head) == expected
    # 16 units at once, and no time in which more come: 8 for the stream itself, 4 for each batch.
    assert [rest > 0 for rest in rests] == [False, *[True] * (batches - 1)]
    assert all(rest < 5 for rest in rests), "a debt is bounded"


def test_who_is_at_the_head_is_charged_for_nothing(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = moving.chain.store.height
    rests: list[float] = []
    monkeypatch.setattr("node.api.service.time.sleep", rests.append)
    with (
        served(moving.chain, let_in=porter(rates=RATES, now_s=lambda: 0.0)) as node,
        NodeClient(node) as client,
    ):
        assert next(client.events(from_height=head)).height >= head
    assert rests == []
