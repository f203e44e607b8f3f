"""A short campaign of `make fuzz-api` at a node of the shared network: it takes no harm."""

from __future__ import annotations

import pytest

from tests.e2e.harness import LocalNetwork
from tests.fuzz_api.__main__ import attack
from tests.fuzz_api.target import victim_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REQUESTS = 1_500
SEED = 7_000_000  # other calls than those of the job in its default


def test_drawn_requests_do_a_node_no_harm(network: LocalNetwork) -> None:
    assert attack(victim_of(network), requests=REQUESTS, seed=SEED) == []
