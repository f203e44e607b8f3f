"""What a node says of the life of contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from contracts.vm.testing import Chain
from ledger.model import Receipt
from ledger.store import Store
from ledger.values import encode_value
from node.life import LifeWatch
from tests.code_world import MANAGER, OPERATOR, TECH, found, upgrade

SOURCE = "from contracts.dialect import view\n@view\ndef one() -> int:\n    return 1\n"


class Shown:
    """What of a store the watch reads, over a chain in memory."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.height = 0
        self.newest: Sequence[Receipt] = ()

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.chain.state.get((namespace, key))

    def receipts(self, height: int) -> tuple[Receipt, ...]:
        assert height == self.height
        return tuple(self.newest)

    def take(self, *receipts: Receipt) -> None:
        self.height += 1
        self.newest = receipts


@pytest.fixture
def shown() -> Shown:
    chain = found()
    chain.must(TECH, "contract", "deploy", "notes", SOURCE, encode_value([]))
    return Shown(chain)


def watch(shown: Shown) -> LifeWatch:
    return LifeWatch(cast(Store, shown))


def test_a_freeze_is_a_warning_and_a_figure_until_it_ends(shown: Shown) -> None:
    life, chain = watch(shown), shown.chain
    assert life.frozen == set()
    shown.take(chain.call(MANAGER, "contract", "freeze", "notes", "wrong sums"))
    with capture_logs() as logs:
        life.follow()
    assert life.frozen == {"notes"}
    assert [(log["event"], log["log_level"]) for log in logs] == [("contract_frozen", "warning")]
    told = logs[0]
    assert (told["contract"], told["party"], told["reason"]) == ("notes", "manager", "wrong sums")
    shown.take(upgrade(chain, "notes", SOURCE + "\n", MANAGER, OPERATOR))
    life.follow()
    assert life.frozen == {"notes"}  # repaired, and still frozen
    shown.take(chain.call(MANAGER, "contract", "unfreeze", "notes"))
    with capture_logs() as logs:
        life.follow()
    assert [log["log_level"] for log in logs] == ["info"]
    assert life.frozen == set()
    counted = {step: count for step, count in life.steps.items() if count}
    assert counted == {"freeze": 1, "approve": 1, "upgrade": 1, "unfreeze": 1}


def test_a_node_that_starts_later_warns_of_what_is_frozen(shown: Shown) -> None:
    shown.chain.must(MANAGER, "contract", "freeze", "notes", "wrong sums")
    with capture_logs() as logs:
        life = watch(shown)
    assert [log["event"] for log in logs] == ["contract_frozen"]
    assert life.frozen == {"notes"}


def test_a_refused_freeze_and_other_contracts_say_nothing(shown: Shown) -> None:
    life = watch(shown)
    shown.take(shown.chain.call(TECH, "contract", "freeze", "notes", "mine"))
    with capture_logs() as logs:
        life.follow()
    assert not logs and not life.frozen and not any(life.steps.values())
