"""What several test files use and what takes seconds to make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.archive import export
from tests.audit_world import Audited, audited_chain
from tests.moving_chain import Chain, Moving, grow_moving


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    """A chain whose committee changed twice and will change again. Read it, or copy it."""
    chain = Chain(tmp_path_factory.mktemp("moving"))
    yield grow_moving(chain)
    chain.store.close()


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """Read it, or copy it."""
    root = tmp_path_factory.mktemp("audited")
    chain = audited_chain(root / "chain")
    export(chain.store, root / "archive", lambda done, total: None)
    yield Audited(chain, root / "archive")
    chain.store.close()
