"""One four-node network for the tests that leave it whole; their own for those that do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.quotas import lift
from tests.e2e.harness import LocalNetwork


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A running network that is shared: do not kill its processes.

    All that ask it are one host: what a fast machine asks in a second is beyond the quota of one.
    """
    local = LocalNetwork(tmp_path_factory.mktemp("shared") / "net")
    try:
        lift(local.root)
        local.up()
        yield local
    finally:
        local.down()


@pytest.fixture
def own_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A running network of the test's own."""
    local = LocalNetwork(tmp_path_factory.mktemp("own") / "net")
    try:
        local.up()
        yield local
    finally:
        local.down()
