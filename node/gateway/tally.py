"""What a gateway counts, and how it shows that to Prometheus. Names are interface: only add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SLOW = "slow"  # a handshake that was not finished in time
BROKEN = "broken"  # who hung up before the handshake was over
NODE_AWAY = "node_away"
CHAIN_UNREAD = "chain_unread"  # who is revoked is to be asked of the chain, and was not yet
FAULT = "fault"  # of the gateway itself: a bug
STOPPED = "stopped"  # by the gateway's own end


@dataclass(slots=True)
class Tally:
    """Written by the event loop, read by the metrics page."""

    open: int = 0
    accepted: int = 0  # handshakes that led to a connection to the node
    refused: Counter[str] = field(default_factory=Counter)  # by reason, before that
    ended: Counter[str] = field(default_factory=Counter)  # by reason, after it
    faults: int = 0  # bugs of the gateway, each of which ended one connection
    bytes_in: int = 0  # plaintext from clients
    bytes_out: int = 0

    def count(self, came: int, went: int) -> None:
        self.bytes_in += came
        self.bytes_out += went


def make_render(tally: Tally, certificate_days: Callable[[], float]) -> Callable[[], bytes]:
    """What makes the page; `certificate_days` are those left of the gateway's own certificate."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(tally, certificate_days))
    return lambda: generate_latest(registry)


class _Figures(Collector):
    def __init__(self, tally: Tally, certificate_days: Callable[[], float]) -> None:
        self._tally = tally
        self._certificate_days = certificate_days

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        yield GaugeMetricFamily(
            "shuxin_gateway_connections", "Connections that are carried.", tally.open
        )
        yield CounterMetricFamily(
            "shuxin_gateway_accepted", "Connections that were let through.", tally.accepted
        )
        yield CounterMetricFamily(
            "shuxin_gateway_faults", "Connections that a bug ended: report it.", tally.faults
        )
        for name, text, counts in (
            ("refused", "Connections that were refused, by reason.", tally.refused),
            ("ended", "Connections that ended after they were let through.", tally.ended),
        ):
            family = CounterMetricFamily(f"shuxin_gateway_{name}", text, labels=["reason"])
            for reason, number in sorted(dict(counts).items()):
                family.add_metric([reason], number)
            yield family
        carried = CounterMetricFamily(
            "shuxin_gateway_bytes", "Plaintext that was carried.", labels=["direction"]
        )
        carried.add_metric(["in"], tally.bytes_in)
        carried.add_metric(["out"], tally.bytes_out)
        yield carried
        yield GaugeMetricFamily(
            "shuxin_gateway_certificate_days",
            "Days until the gateway's certificate ends.",
            self._certificate_days(),
        )
