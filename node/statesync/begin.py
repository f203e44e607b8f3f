"""When a node begins with a snapshot, and the network of its own in which it does.

That is before there is a ledger to run on: nothing votes, orders or answers clients meanwhile. What
it makes takes the ledger's name at the very end, by the renames of node.ledgers.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import structlog
import trio

from crypto.provider import CryptoProvider
from ledger.committee import Epochs
from ledger.genesis import Genesis, load_genesis
from ledger.model import ValidatorSet
from node.bootstrap import LEDGER, check_genesis
from node.config import NodeConfig
from node.identity import genesis_policy
from node.keys import node_passphrase, open_consensus_key, open_presence, read_roots
from node.ledgers import joining, publish_joined, settle
from node.links import Links, OpenLinks
from node.statesync.crowd import Crowd
from node.statesync.join import Joiner, join
from p2p.network import PeerAddress
from p2p.tls.policy import TransportPolicy

SNAPSHOT = "snapshot"  # the other value of `[sync] mode` is "blocks"

_log = structlog.get_logger("node.statesync")


def wants_snapshot(config: NodeConfig) -> bool:
    """Has this node no ledger, or one that it is replacing, and may it begin with a snapshot?"""
    ledger = config.data_dir / LEDGER
    settle(ledger)
    return config.sync_mode == SNAPSHOT and (not ledger.exists() or joining(ledger).exists())


async def begin(config: NodeConfig, make_links: OpenLinks) -> None:
    """Make a ledger out of a snapshot of the peers', unless the chain is too short for one.

    Takes as long as it takes; whoever cancels it finds it going on where it was. Raises what
    opening keys and genesis raises, OSError, LedgerDamaged.
    """
    passphrase = node_passphrase(config)
    provider = open_consensus_key(config, passphrase)
    genesis = load_genesis(config.genesis)
    check_genesis(genesis)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    policy = genesis_policy(genesis, read_roots(config))
    presence = open_presence(config, passphrase, policy)
    links = make_links(config, _table(config, genesis.validators), presence)
    async with trio.open_nursery() as nursery:
        await nursery.start(links.run)
        height = await _join(config, genesis, provider, links, policy, nursery)
        nursery.cancel_scope.cancel()
    if height is None:
        shutil.rmtree(joining(config.data_dir / LEDGER), ignore_errors=True)
        return
    publish_joined(config.data_dir / LEDGER, height)
    _log.info("joined", height=height, rest="comes block by block")


async def _join(
    config: NodeConfig,
    genesis: Genesis,
    provider: CryptoProvider,
    links: Links,
    policy: TransportPolicy,
    nursery: trio.Nursery,
) -> int | None:
    crowd = Crowd(links, _names(genesis.validators))
    nursery.start_soon(crowd.run)

    def meet(epochs: Epochs) -> None:
        """Members of later committees are known now, and may be asked as well."""
        newest = epochs.newest.validators
        crowd.name_also(_names(newest))
        links.set_policy(_also(policy, newest))
        links.update_allow_list(_table(config, genesis.validators) | _table(config, newest))

    path = joining(config.data_dir / LEDGER)
    _log.info("joining", folder=str(path), behind_max=config.sync_behind_max)
    return await join(
        Joiner(
            path=path,
            genesis=genesis,
            provider=provider,
            crowd=crowd,
            behind_max=config.sync_behind_max,
            on_committees=meet,
        )
    )


def _table(config: NodeConfig, members: ValidatorSet) -> dict[str, PeerAddress]:
    return {
        member.name: PeerAddress(member.peer_id, config.peers.get(member.name, ""))
        for member in members.validators
    }


def _also(policy: TransportPolicy, members: ValidatorSet) -> TransportPolicy:
    """With the nodes of another committee; the roots of organizations are the same."""
    theirs = {member.peer_id: member.party for member in members.validators}
    return replace(policy, organizations={**policy.organizations, **theirs})


def _names(members: ValidatorSet) -> dict[str, str]:
    return {member.peer_id: member.name for member in members.validators}
