"""How tests are shared out when several processes run them: `pytest -n 2 --dist loadgroup`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

NETWORKS = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Files stay together, for the sake of what they share; networks of processes run one after
    the other, since each of them takes all cores."""
    for item in items:
        together = NETWORKS if NETWORKS in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(together)))
