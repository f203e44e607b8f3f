"""What a node does when who runs it says so, and what it tells him."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
import trio

from ledger.encoding import encode
from node import VERSION, logs
from node.admin.door import OrderRefused
from node.admin.form import (
    LOG_LEVEL,
    RELOAD,
    STATUS,
    Ending,
    Inside,
    LinkState,
    Named,
    Order,
    Taken,
)
from node.clock import CommitteeClock
from node.config import DeviceKey, NodeConfig
from node.credentials import Credentials
from node.halt import HaltSwitch
from node.peers import peer_table
from node.reception import Reception


def stop_process() -> None:
    """As a supervisor would: the daemon drains and ends in order (node.serve)."""
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Orders:
    """Main task only."""

    config: NodeConfig
    reception: Reception
    switch: HaltSwitch
    credentials: Credentials | None
    clock: CommitteeClock

    async def carry_out(self, order: Order) -> bytes:
        """What is replied. Raises OrderRefused."""
        if order.what == STATUS:
            return encode(await self._inside())
        if order.what == LOG_LEVEL:
            return _set_log_level(order.text)
        if order.what == RELOAD:
            return encode(await self._reload())
        return b""  # to stop: the door sees to that when this has been said

    async def _reload(self) -> Taken:
        if self.credentials is None:
            raise OrderRefused("the links of this node show no certificate")
        is_new = await self.credentials.reload()
        self.credentials.look()
        certificate = self.credentials.identity.certificate
        ends_ms = int(certificate.not_after.timestamp() * 1000)
        return Taken(is_new, f"{certificate.serial:x}", ends_ms)

    async def _inside(self) -> Inside:
        situation = await trio.to_thread.run_sync(self.reception.situation)  # it looks at disks
        store = self.reception.store
        growth = situation.growth
        return Inside(
            name=situation.name,
            version=VERSION,
            uptime_s=max(0, int(time.time() - psutil.Process().create_time())),
            phase=situation.phase,
            halted=self.switch.reason,
            height=store.height,
            certified_height=store.certified_height,
            block_ms=store.header(store.height).time_ms,
            heartbeat_ms=self.reception.rulebook.at(store.height + 1).heartbeat_ms,
            clock_off_ms=self.clock.own_offset_ms,
            view=situation.view,
            primary=situation.primary,
            index=-1 if situation.index is None else situation.index,
            members=situation.members,
            pool=situation.mempool_transactions,
            resident_bytes=situation.resident_bytes,
            engine=situation.engine.vm_version,
            jail_missing=not situation.is_jailed,
            ledger_bytes=growth.ledger,
            free_bytes=growth.free,
            archiving_failure=growth.failure,
            damage=tuple(one.text for one in self.reception.keeping.patrol.state.findings),
            log_level=logs.level(),
            places=tuple(Named(name, value) for name, value in places(self.config).items()),
            links=self._links(),
            endings=self._endings(),
        )

    def _links(self) -> tuple[LinkState, ...]:
        network = self.reception.network
        connected, shown = network.connected(), network.certificates()
        return tuple(
            LinkState(
                name,
                peer.peer_id,
                peer.multiaddr,
                peer.peer_id in connected,
                f"{shown[name].serial:x}" if name in shown else "",
            )
            for name, peer in sorted(peer_table(self.reception.store, self.config.peers).items())
            if name != self.config.name
        )

    def _endings(self) -> tuple[Ending, ...]:
        left = {} if self.credentials is None else self.credentials.days_left
        return tuple(
            Ending(kind, name, int(days * 24))
            for (kind, name), days in sorted(left.items(), key=lambda item: item[1])
        )


def places(config: NodeConfig) -> Mapping[str, str]:
    """Where a node has what it works with, and where it is reached. No secrets."""
    key = config.consensus_key
    found = {
        "data": config.data_dir,
        "genesis": config.genesis,
        "consensus_key": f"{key.library}#{key.index}" if isinstance(key, DeviceKey) else key,
        "network_key": config.network_key,
        "tls_key": config.tls_key,
        "certificate": config.certificate,
        "passphrase_file": config.passphrase_file,
        "archives": config.keep.archives,
        "listen": config.listen,
        "api": config.api_listen,
        "metrics": config.metrics_listen,
    }
    return {name: str(place) for name, place in found.items() if place is not None}


def _set_log_level(level: str) -> bytes:
    """The level before, for who wants to go back."""
    if level not in logs.LEVELS:
        raise OrderRefused(f"{level!r} is no level: {', '.join(logs.LEVELS)}")
    before = logs.level()
    logs.set_level(level)
    return before.encode()
