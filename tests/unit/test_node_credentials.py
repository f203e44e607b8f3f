"""A renewed certificate is taken up without a restart, and what ends is said in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from structlog.typing import EventDict
from trio.testing import MockClock, wait_all_tasks_blocked

from crypto import sm2
from crypto.errors import CertificateRefused, Reason
from crypto.files import replace_file
from crypto.smtls import TlsIdentity
from crypto.x509.profile import Role, Subject
from crypto.x509.read import CERTIFICATE, Certificate, encode_pem
from node.credentials import LOOK_EVERY_S, Credentials, Trusted
from p2p.tls.policy import TransportPolicy
from tests.x509_world import DAY, NODE, NOW, OTHER_PEER, PEER, Org, organization


@dataclass
class World:
    """A node's certificate in a file, links that take what they are given, and a clock."""

    folder: Path
    org: Org = field(default_factory=organization)
    shown: list[Certificate] = field(default_factory=list)
    peers: dict[str, Certificate] = field(default_factory=dict)
    links_refuse: bool = False

    def __post_init__(self) -> None:
        self.private = sm2.generate()
        self.public = sm2.public_key(self.private)
        self.path = self.folder / "node.crt"
        self.time = NOW
        self.renewed = trio.Event()
        self.first = self.leaf()
        self.put(self.first)
        self.policy = TransportPolicy((self.org.root,), organizations={PEER: "org1"})
        self.credentials = Credentials(
            self.path,
            TlsIdentity(self.first, self.private),
            judge=lambda found: self.policy.judge(found, self.time, dialed=PEER),
            on_renewed=self._show,
            trusted=lambda: Trusted((self.org.root,), self.peers),
            now=lambda: self.time,
        )

    def leaf(self, subject: Subject = NODE, *, days: int = 365) -> Certificate:
        return self.org.leaf(subject, now=self.time, days=days, public=self.public)

    def put(self, certificate: Certificate) -> None:
        replace_file(self.path, encode_pem(certificate.der, CERTIFICATE))

    def _show(self, identity: TlsIdentity) -> None:
        if self.links_refuse:
            raise CertificateRefused(Reason.PEER, "not for this node")
        self.shown.append(identity.certificate)
        self.renewed.set()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def said(logs: Sequence[EventDict], event: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == event]


async def test_a_renewed_certificate_is_taken_up_when_the_node_is_asked(
    world: World, nursery: trio.Nursery
) -> None:
    nursery.start_soon(world.credentials.run)
    await wait_all_tasks_blocked()
    renewed = world.leaf()
    world.put(renewed)
    assert world.shown == []
    world.credentials.ask()
    await world.renewed.wait()
    assert world.shown == [renewed]
    assert world.credentials.identity.certificate == renewed
    nursery.cancel_scope.cancel()


async def test_the_file_is_looked_at_each_minute(
    world: World, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    nursery.start_soon(world.credentials.run)
    renewed = world.leaf()
    world.put(renewed)
    await world.renewed.wait()
    await trio.sleep(2 * LOOK_EVERY_S)
    assert world.shown == [renewed], "once"
    nursery.cancel_scope.cancel()


async def test_what_peers_would_refuse_is_not_taken_up_and_said_once(world: World) -> None:
    foreign = organization("org1").leaf(NODE, public=world.public)
    other_key = world.org.leaf(NODE)
    other_peer = world.leaf(Subject("org1", "n1", Role.NODE, OTHER_PEER))
    for certificate in (foreign, other_key, other_peer):
        world.put(certificate)
        with capture_logs() as logs:
            assert not await world.credentials.reload()
            assert not await world.credentials.reload()
        assert len(said(logs, "certificate_not_taken")) == 1
    for junk in (b"", b"-----BEGIN CERTIFICATE-----\n", world.leaf().der[:-1]):
        world.path.write_bytes(junk)
        assert not await world.credentials.reload()
    world.path.unlink()
    assert not await world.credentials.reload()
    world.links_refuse = True
    world.put(world.leaf())
    assert not await world.credentials.reload()
    assert world.shown == []
    assert world.credentials.identity.certificate == world.first
    world.links_refuse = False
    good = world.leaf()
    world.put(good)
    assert await world.credentials.reload()
    assert world.shown == [good]


async def test_what_was_refused_is_taken_up_once_its_time_or_its_root_came(world: World) -> None:
    early = world.org.leaf(NODE, now=NOW + DAY, public=world.public)
    world.put(early)
    assert not await world.credentials.reload()
    world.time = NOW + DAY
    assert await world.credentials.reload()
    successor = organization("org1")
    late = successor.leaf(NODE, now=world.time, public=world.public)
    world.put(late)
    assert not await world.credentials.reload()
    world.policy = replace(world.policy, roots=(world.org.root, successor.root))
    assert await world.credentials.reload()
    assert world.shown == [early, late]


async def test_a_users_certificate_is_no_nodes(world: World) -> None:
    world.put(world.leaf(Subject("org1", "zhang", Role.USER)))
    with capture_logs() as logs:
        assert not await world.credentials.reload()
    assert said(logs, "certificate_unread")


def test_what_ends_is_said_thirty_seven_and_one_day_before_and_after(world: World) -> None:
    heard: list[tuple[float, str, str]] = []
    world.peers["node2"] = world.org.leaf(NODE, days=700)
    for day in range(300, 368):
        world.time = NOW + day * DAY
        for _ in range(2):
            with capture_logs() as logs:
                world.credentials.look()
            heard += [(day, str(one["event"]), str(one["log_level"])) for one in logs]
    assert heard == [
        (335, "certificate_ends", "warning"),
        (358, "certificate_ends", "critical"),
        (364, "certificate_ends", "critical"),
        (365, "certificate_ended", "critical"),
    ]


def test_peers_and_roots_are_watched_as_well(world: World) -> None:
    world.peers["node2"] = world.org.leaf(NODE, days=20)
    with capture_logs() as logs:
        world.credentials.look()
    (alert,) = logs
    assert (alert["kind"], alert["name"], alert["days"]) == ("peer", "node2", 20.0)
    days = world.credentials.days_left
    assert days["own", "n1"] == 365
    assert days["peer", "node2"] == 20
    assert days["root", "org1/org1-ca"] == 3650
    del world.peers["node2"]
    world.credentials.look()
    assert ("peer", "node2") not in world.credentials.days_left


async def test_a_node_that_nobody_will_speak_with_says_so(
    world: World, nursery: trio.Nursery
) -> None:
    world.policy = TransportPolicy(
        (world.org.root,), frozenset({("org1", world.first.serial)}), {PEER: "org1"}
    )
    with capture_logs() as logs:
        nursery.start_soon(world.credentials.run)
        await wait_all_tasks_blocked()
    (refused,) = said(logs, "certificate_refused")
    assert "revoked" in str(refused["reason"])
    nursery.cancel_scope.cancel()
