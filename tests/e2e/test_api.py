"""What a stranger with a gRPC client finds: health, reflection, blocks, state with proof."""

from __future__ import annotations

import secrets

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from client.errors import NodeUnavailable, Refused
from client.node import NodeClient
from crypto.providers.software import verify_batch
from ledger.blocks import proposal_of
from ledger.certificates import verify_commit_certificate, verify_execution_certificate
from ledger.model import block_hash, proposal_digest
from ledger.proof import verify_state_proof
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def recorded(network: LocalNetwork) -> int:
    """The height of a block with one evidence record in it."""
    session = network.session("operator")
    name = f"api-{secrets.token_hex(6)}"
    with session.node:
        outcome = session.call(
            "evidence", "record", name, "development.process", name, bytes(32), ""
        )
    return outcome.height


def test_the_health_service_says_serving(network: LocalNetwork) -> None:
    with grpc.insecure_channel(network.plan.nodes[0].api) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service="shuxin.v1.Node"), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service(network: LocalNetwork) -> None:
    with grpc.insecure_channel(network.plan.nodes[0].api) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        reply = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=10)))
    names = {service.name for service in reply.list_services_response.service}
    assert "shuxin.v1.Node" in names


def test_a_block_shows_both_of_its_certificates(network: LocalNetwork, recorded: int) -> None:
    with network.client() as client:
        genesis, chain = client.genesis(), client.chain_id
        found = client.block(recorded)
    assert found.hash == block_hash(found.block.header)
    assert found.commit_certificate is not None
    assert found.execution_certificate is not None
    digest = proposal_digest(proposal_of(found.block))
    verify_commit_certificate(
        found.commit_certificate, digest, genesis.validators, chain, verify_batch
    )
    verify_execution_certificate(
        found.execution_certificate, genesis.validators, chain, verify_batch
    )


def test_state_is_proven_present_and_absent(network: LocalNetwork, recorded: int) -> None:
    with network.client() as client:
        code = client.state("code", b"evidence")
        nothing = client.state("code", b"no-such-contract")
    for found, key in ((code, b"evidence"), (nothing, b"no-such-contract")):
        root = found.certificate.statement.state_root
        assert verify_state_proof(found.proof, root, "code", key) == found.value
    assert code.value is not None
    assert nothing.value is None


def test_what_is_not_there_is_not_found(network: LocalNetwork) -> None:
    with network.client() as client:
        for ask in (lambda: client.block(10**9), lambda: client.transaction(bytes(32))):
            with pytest.raises(Refused) as caught:
                ask()
            assert caught.value.code == "not_found"


def test_a_wait_for_an_unknown_transaction_ends_in_time(network: LocalNetwork) -> None:
    with network.client() as client, pytest.raises(Refused) as caught:
        client.wait(bytes(32), timeout_s=0.3)
    assert caught.value.code == "receipt.pending"
    assert "does not know it" in caught.value.detail


def test_a_wrong_address_is_said_to_be_one() -> None:
    with NodeClient("127.0.0.1:1", timeout_s=2) as client, pytest.raises(NodeUnavailable) as caught:
        client.status()
    assert "127.0.0.1:1" in str(caught.value)
