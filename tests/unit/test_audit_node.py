"""A running node is replayed block by block, and believed as little as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from cli.main import main
from client.errors import ClientError
from client.node import BlockView, NodeClient
from node.audit import Kind, Verdict, replay
from node.audit.sources import NodeUnreplayable
from tests.moving_chain import Moving, served

HEIGHT = 7


@pytest.fixture(scope="module")
def address(moving: Moving) -> Iterator[str]:
    with served(moving.chain) as target:
        yield target


@pytest.fixture
def node(address: str) -> Iterator[NodeClient]:
    with NodeClient(address) as client:
        yield client


def examined(node: NodeClient, moving: Moving) -> Verdict:
    return replay(node, moving.chain.genesis, advance=lambda done, total: None)


def test_what_a_node_serves_is_replayed(node: NodeClient, moving: Moving) -> None:
    verdict = examined(node, moving)
    assert verdict.divergence is None
    assert (verdict.kind, verdict.height, verdict.committees) == ("node", moving.head, 3)


def test_another_chain_is_told_apart(node: NodeClient, moving: Moving) -> None:
    other = replace(moving.chain.genesis, name="another")
    divergence = replay(node, other, advance=lambda done, total: None).divergence
    assert divergence is not None
    assert divergence.kind is Kind.GENESIS


def lying(monkeypatch: pytest.MonkeyPatch, **altered: object) -> None:
    """The node says something else about one height."""
    true = NodeClient.block

    def block(self: NodeClient, height: int) -> BlockView:
        view = true(self, height)
        return changed(view, **altered) if height == HEIGHT else view  # type: ignore[arg-type]  # of BlockView

    monkeypatch.setattr(NodeClient, "block", block)


def test_a_node_that_lies_is_found_out(
    node: NodeClient, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = moving.chain.store.receipts(HEIGHT)[0]
    lying(monkeypatch, receipts=(replace(receipt, gas_used=1),))
    divergence = examined(node, moving).divergence
    assert divergence is not None
    assert (divergence.kind, divergence.height) == (Kind.RECEIPT, HEIGHT)
    assert divergence.transaction == receipt.transaction_id.hex()


def test_a_block_without_a_certificate_of_its_own_is_no_fault(
    node: NodeClient, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(monkeypatch, execution_certificate=None)
    verdict = examined(node, moving)
    assert verdict.divergence is None
    assert verdict.anomalies["without_execution_certificate"].heights == [HEIGHT]


def test_a_chain_that_follows_a_recovery_plan_is_refused_not_accused(
    node: NodeClient, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = moving.chain.store.execution_certificate(HEIGHT)
    assert certificate is not None
    statement = replace(certificate.statement, chain_id=bytes(32))
    lying(monkeypatch, execution_certificate=replace(certificate, statement=statement))
    with pytest.raises(NodeUnreplayable, match="replay that"):
        examined(node, moving)


def test_a_node_that_is_away_is_no_verdict(moving: Moving) -> None:
    with NodeClient("127.0.0.1:1", timeout_s=1.0) as node, pytest.raises(ClientError):
        examined(node, moving)


def test_the_command_takes_an_address(
    address: str, moving: Moving, capsys: pytest.CaptureFixture[str]
) -> None:
    genesis = str(moving.chain.root / "genesis.json")
    assert main(["audit", "replay", address, "--genesis", genesis, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["height"] == moving.head
