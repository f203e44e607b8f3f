"""What a node says of itself: where it stands, how large it is, whom it knows."""

from __future__ import annotations

from dataclasses import dataclass

from shuxin.v1 import node_pb2


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    peer_id: str
    connected: bool


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What runs the contracts, and the next engine that is decided on ("" and 0: none).

    `missing_height`: the first that the node's release cannot run, and halts at; 0: none.
    """

    vm_version: str
    next_vm_version: str
    next_height: int
    missing_height: int


@dataclass(frozen=True, slots=True)
class GrowthStatus:
    """Sizes in bytes. Blocks below `base` are no longer in the node's ledger.

    Those below `archived_below` are in its archives (0: none are). `archives_free`: None where it
    writes none. `failure` says why old blocks do not leave the ledger.
    """

    base: int = 0
    archived_below: int = 0
    ledger: int = 0
    journal: int = 0
    archives: int = 0
    free: int = 0
    archives_free: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node's own account of where it stands; times in Unix ms, sizes in bytes."""

    name: str
    version: str
    chain_id: bytes
    height: int
    certified_height: int
    block_hash: bytes
    state_root: bytes
    view: int
    primary: int
    index: int
    is_observer: bool
    epoch: int
    validators: int
    mempool_transactions: int
    time_ms: int
    resident_bytes: int
    phase: str
    peers: tuple[Peer, ...]
    engine: EngineStatus
    jail: tuple[str, ...]  # layers that hold around the contract workers
    is_jailed: bool
    growth: GrowthStatus


def status_of(reply: node_pb2.StatusReply) -> NodeStatus:
    return NodeStatus(
        name=reply.name,
        version=reply.version,
        chain_id=reply.chain_id,
        height=reply.height,
        certified_height=reply.certified_height,
        block_hash=reply.block_hash,
        state_root=reply.state_root,
        view=reply.view,
        primary=reply.primary,
        index=reply.index,
        is_observer=reply.is_observer,
        epoch=reply.epoch,
        validators=reply.validators,
        mempool_transactions=reply.mempool_transactions,
        time_ms=reply.time_ms,
        resident_bytes=reply.resident_bytes,
        phase=reply.phase,
        peers=tuple(Peer(p.name, p.peer_id, p.connected) for p in reply.peers),
        engine=EngineStatus(
            reply.engine.vm_version,
            reply.engine.next_vm_version,
            reply.engine.next_height,
            reply.engine.missing_height,
        ),
        jail=tuple(reply.jail),
        is_jailed=reply.is_jailed,
        growth=_growth_of(reply.growth),
    )


def _growth_of(growth: node_pb2.GrowthStatus) -> GrowthStatus:
    return GrowthStatus(
        base=growth.base,
        archived_below=growth.archived_below,
        ledger=growth.ledger_bytes,
        journal=growth.journal_bytes,
        archives=growth.archives_bytes,
        free=growth.free_bytes,
        archives_free=(
            growth.archives_free_bytes if growth.HasField("archives_free_bytes") else None
        ),
        failure=growth.archiving_failure,
    )
