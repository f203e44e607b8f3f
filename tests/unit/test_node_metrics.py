"""What a node shows to Prometheus, and who may make it work for that."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.account import Account
from client.build import build_transaction
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.genesis import chain_id
from ledger.model import Transaction
from node.config import NodeConfig, load_config
from node.config_template import render_config
from node.mempool import Admitted, Mempool
from node.metrics import OTHER
from node.metrics_page import HEAD_SIZE_MAX, MetricsPage, PageFailed
from node.tally import DELAY_BOUNDS_S, Delays, Histogram, Tally
from tests.node_world import Nodes, quick_clock, running

ALL = (0, 1, 2, 3)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


class ShownNodes(Nodes):
    """Nodes of which one has a metrics page, on a port of the system's choice."""

    def __init__(self, root: Path, *, shown: int = 0) -> None:
        super().__init__(root)
        self.shown = shown
        self.port = free_port()

    def config(self, index: int) -> NodeConfig:
        listen = f"127.0.0.1:{self.port}" if index == self.shown else None
        return replace(super().config(index), metrics_listen=listen)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scrape(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# --- a running node -------------------------------------------------------------------------


async def test_a_node_shows_where_it_stands_and_what_it_did(
    tmp_path: Path, clock: MockClock
) -> None:
    committee = ShownNodes(tmp_path)
    async with running(committee, *ALL):
        for number in range(3):
            ids = await committee.hand_in(0, committee.transaction(f"k{number}"))
            await committee.certified(ids, *ALL)
        shown = await trio.to_thread.run_sync(scrape, committee.port)
        status = await committee.status(0)
    plain = {name: value for (name, labels), value in shown.items() if not labels}
    assert plain["shuxin_height"] == plain["shuxin_certified_height"] == status.height >= 3
    assert plain["shuxin_blocks_total"] == status.height
    assert plain["shuxin_transactions_total"] == 3
    assert plain["shuxin_peers_connected"] == plain["shuxin_peers"] == 3
    assert plain["shuxin_member"] == plain["shuxin_hashes_compiled"] == 1
    assert plain["shuxin_halted"] == plain["shuxin_pool_transactions"] == 0
    assert plain["shuxin_pool_oldest_seconds"] == 0
    assert plain["shuxin_resident_bytes"] > 1 << 20
    assert plain["shuxin_execution_seconds_count"] == status.height
    assert plain["shuxin_block_interval_seconds_count"] == status.height - 1
    assert shown["shuxin_phase", (("phase", "ordering"),)] == 1
    assert sum(v for (name, _), v in shown.items() if name == "shuxin_phase") == 1
    assert 0 <= plain["shuxin_history_height"] <= status.height
    assert plain["shuxin_history_lag_blocks"] <= status.height
    assert plain["shuxin_history_first_height"] == 0 and plain["shuxin_history_bytes"] > 0
    assert plain["shuxin_inclusion_delay_seconds_count"] == 3
    assert plain["shuxin_inclusion_delay_seconds_sum"] > 0
    own = (("sender", committee.account.address),)
    assert shown["shuxin_sender_inclusion_delay_seconds_count", own] == 3


async def test_delays_are_told_apart_by_sender(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path)
    second = Account(SoftwareProvider(sm2.generate()))
    async with running(committee, *ALL):
        other = build_transaction(
            second,
            chain_id=chain_id(committee.genesis),
            valid_until=100,
            contract="notes",
            method="write",
            args=["k", "x"],
        )
        ids = await committee.hand_in(0, committee.transaction("a"), committee.transaction("b"))
        ids += await committee.hand_in(0, other)
        await committee.certified(ids, 0)
        shown = await trio.to_thread.run_sync(scrape, committee.port)
    name = "shuxin_sender_inclusion_delay_seconds_count"
    assert {key[1]: value for key, value in shown.items() if key[0] == name} == {
        (("sender", committee.account.address),): 2,
        (("sender", second.address),): 1,
        (("sender", OTHER),): 0,
    }


async def test_views_left_are_counted(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path, shown=3)
    async with running(committee, *ALL):
        primary = (await committee.status(3)).primary
        assert primary != 3
        await committee.stop(primary)
        left = [index for index in ALL if index != primary]
        ids = await committee.hand_in(left[0], committee.transaction("k"))
        await committee.certified(ids, *left)
        shown = await trio.to_thread.run_sync(scrape, committee.port)
    assert shown["shuxin_view_changes_total", ()] >= 1
    assert shown["shuxin_view", ()] >= 1
    assert shown["shuxin_peers_connected", ()] == 2


async def test_catching_up_is_counted(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path)
    async with running(committee, *ALL):
        committee.air.hears = lambda sender, to, channel, body: to != committee.peer_id(0)
        for number in range(5):
            ids = await committee.hand_in(2, committee.transaction(f"k{number}"))
            await committee.certified(ids, 1, 2, 3)
        committee.air.hears = lambda sender, to, channel, body: True
        await committee.certified(ids, 0)
        shown = await trio.to_thread.run_sync(scrape, committee.port)
    assert shown["shuxin_catch_ups_total", ()] >= 1
    assert shown["shuxin_blocks_total", ()] >= 5, "fetched blocks count, too"


async def test_a_node_without_the_setting_shows_nothing(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path)
    async with running(committee, 1, 2, 3):
        with pytest.raises(urllib.error.URLError):
            await trio.to_thread.run_sync(scrape, committee.port)


async def test_the_page_ends_with_the_node(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path)
    async with running(committee, *ALL):
        await trio.to_thread.run_sync(scrape, committee.port)
        await committee.stop(0)
        with pytest.raises(urllib.error.URLError):
            await trio.to_thread.run_sync(scrape, committee.port)


# --- the page -------------------------------------------------------------------------------


@pytest.fixture
def page() -> Iterator[MetricsPage]:
    made = MetricsPage(lambda: b"shuxin_height 7\n", listen="127.0.0.1:0")
    made.start()
    yield made
    made.stop()


def said(page: MetricsPage, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", page.port), timeout=10) as visitor:
        visitor.sendall(request)
        visitor.shutdown(socket.SHUT_WR)
        answer = b""
        while more := visitor.recv(4096):
            answer += more
        return answer


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK"),
        (b"GET /metrics?name=x HTTP/1.0", b"200 OK"),
        (b"GET / HTTP/1.1", b"404 Not Found"),
        (b"GET /metricsx HTTP/1.1", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed"),
        (b"\xff\x00", b"405 Method Not Allowed"),
    ],
)
def test_only_the_one_page_is_served(page: MetricsPage, request_line: bytes, status: bytes) -> None:
    answer = said(page, request_line + b"\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert (b"shuxin_height 7" in answer) is (status == b"200 OK")


@pytest.mark.parametrize(
    "request_", [b"", b"GET /metrics HTTP/1.1\r\n", b"x" * (HEAD_SIZE_MAX + 8192)]
)
def test_a_request_that_does_not_end_is_hung_up_on(page: MetricsPage, request_: bytes) -> None:
    with suppress(ConnectionError):  # hung up before all of it was read
        assert said(page, request_) == b""
    assert b"200 OK" in said(page, b"GET /metrics HTTP/1.1\r\n\r\n")


def test_a_visitor_that_says_nothing_does_not_keep_the_next_one_out(page: MetricsPage) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=10):
        assert b"200 OK" in said(page, b"GET /metrics HTTP/1.1\r\n\r\n")


def test_figures_that_cannot_be_read_do_not_end_the_page() -> None:
    numbers = [1, 0]
    page = MetricsPage(lambda: b"%d fine\n" % (1 // numbers.pop()), listen="127.0.0.1:0")
    page.start()
    try:
        with capture_logs() as logs:
            assert said(page, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
            assert b"1 fine" in said(page, b"GET /metrics HTTP/1.1\r\n\r\n")
    finally:
        page.stop()
    assert [line["reason"] for line in logs] == ["ZeroDivisionError"]


def test_a_page_open_to_others_is_warned_about_and_a_taken_port_refused(
    page: MetricsPage,
) -> None:
    with pytest.raises(PageFailed, match=r"\[metrics\] listen"):
        MetricsPage(lambda: b"", listen=f"127.0.0.1:{page.port}").start()
    with capture_logs() as logs:
        exposed = MetricsPage(lambda: b"", listen="0.0.0.0:0")  # what is tested
        exposed.start()
        exposed.stop()
    assert [line["event"] for line in logs] == ["metrics_exposed"]


def test_the_setting_is_optional_and_read_strictly(tmp_path: Path) -> None:
    text = render_config(
        name="node0", genesis="g", listen="/ip4/127.0.0.1/tcp/1", api="127.0.0.1:2", peers={}
    )
    path = tmp_path / "node.toml"
    path.write_text(text)
    assert load_config(path).metrics_listen is None
    path.write_text(text.replace("# listen =", "listen ="))
    assert load_config(path).metrics_listen == "127.0.0.1:9464"
    path.write_text(text.replace('# listen = "127.0.0.1:9464"', "listen = 9464"))
    with pytest.raises(Exception, match=r"node\.toml:\d+: listen must be text"):
        load_config(path)


# --- what is counted ------------------------------------------------------------------------


def test_senders_that_are_crowded_out_go_on_under_other() -> None:
    delays = Delays(senders_max=2)
    for sender in (b"a", b"b", b"a", b"c", b"d"):
        delays.observe(sender, 0.2)
    overall, senders, others = delays.read()
    assert list(senders) == [b"c", b"d"]
    assert sum(overall.counts) == 5
    assert sum(others.counts) == 3
    delays.observe(b"a", 0.2)
    _, senders, others = delays.read()
    assert sum(senders[b"a"].counts) == 1
    assert sum(others.counts) == 4, "nothing is counted twice, nothing is lost"


@given(st.lists(st.tuples(st.sampled_from(b"abcdef"), st.floats(0, 100)), max_size=40))
def test_overall_is_the_sum_of_all_senders(seen: list[tuple[int, float]]) -> None:
    delays = Delays(senders_max=3)
    for sender, seconds in seen:
        delays.observe(bytes([sender]), seconds)
    overall, senders, others = delays.read()
    assert len(senders) <= 3
    joined = Histogram(DELAY_BOUNDS_S)
    for one in (*senders.values(), others):
        joined.add(one)
    assert joined.counts == overall.counts
    assert joined.total == pytest.approx(overall.total)


def test_a_bucket_holds_what_is_at_or_below_its_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == 7.5


def test_delays_may_be_read_while_they_grow() -> None:
    delays, ends = Delays(senders_max=8), threading.Event()

    def grow() -> None:
        number = 0
        while not ends.is_set():
            number += 1
            delays.observe(number.to_bytes(4, "big"), 0.1)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(200):
            overall, senders, others = delays.read()
            parts = sum(sum(one.counts) for one in (*senders.values(), others))
            assert parts == sum(overall.counts)
    finally:
        ends.set()
        thread.join()


def test_a_view_left_again_and_again_is_one_view_change() -> None:
    tally = Tally()
    for epoch, view in ((0, 1), (0, 1), (0, 2), (0, 1), (50, 1), (50, 1)):
        tally.left_for(epoch, view)
    assert tally.view_changes == 3


def test_intervals_are_between_blocks_and_execution_is_of_one() -> None:
    times = iter([10.0, 14.0])
    tally = Tally(now=lambda: next(times))
    tally.block(5, began_s=9.0)
    tally.block(7, began_s=13.5)
    assert (tally.blocks, tally.transactions) == (2, 12)
    assert (sum(tally.execution.counts), tally.execution.total) == (2, 1.5)
    assert (sum(tally.interval.counts), tally.interval.total) == (1, 4.0)


def test_the_pool_tells_how_long_an_included_transaction_waited_here() -> None:
    now = [100.0]
    waited: list[tuple[bytes, float]] = []
    pool = Mempool(transactions_max=9, bytes_max=9999, now=lambda: now[0])
    pool.on_included = lambda item, seconds: waited.append((item.sender, seconds))
    items = [
        Admitted(bytes([n]), Transaction(bytes([n]), bytes(64)), 50, 1, 10, b"sender%d" % n)
        for n in range(3)
    ]
    for item in items[:2]:
        pool.add(item, tick=0)
        now[0] += 2.0
    assert pool.oldest_s() == 4.0
    pool.include([items[0].id, items[2].id])
    assert waited == [(b"sender0", 4.0)]
    assert pool.oldest_s() == 2.0
    pool.remove([items[1].id])
    assert waited == [(b"sender0", 4.0)], "what expires was not included"
    assert pool.oldest_s() == 0.0
