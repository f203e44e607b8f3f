"""A gateway process before a running node: the command line through it, and a listener between."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.harness import REPOSITORY, LocalNetwork, shuxin
from tests.tls_world import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DIGEST = "ab" * 32
STOP_S = 15


@dataclass
class Daemon:
    """A gateway process; its place, and what it logs."""

    process: subprocess.Popen[str]
    place: str
    log: list[dict[str, object]] = field(default_factory=list)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


@contextmanager
def gateway(network: LocalNetwork, folder: Path, index: int, **replaced: str) -> Iterator[Daemon]:
    """Of node `index`, with that node's certificate; `replaced` lines of its configuration."""
    folder.mkdir(exist_ok=True)
    keys = network.root / "nodes" / network.plan.nodes[index].name / "keys"
    config = folder / f"gateway{index}.toml"
    made = shuxin(
        *("gateway", "new", str(config), "--certificate", str(keys / "node.crt")),
        *("--key-file", str(keys / "tls.pem"), "--key-passphrase", str(keys / "passphrase")),
        *("--listen", "127.0.0.1:0", "--upstream", network.plan.nodes[index].api),
    )
    assert made.returncode == 0, made.stderr
    text = config.read_text()
    for old, new in replaced.items():
        if old == "chain":  # a table of which every line is commented out
            text = text.replace("[chain]", f"[chain]\n{new}")
            continue
        assert f"{old} = " in text
        text = text.replace(f"{old} = ", f"{new}\n# {old} = ", 1)
    config.write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "gateway", "run", str(config)],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    stderr, log = process.stderr, list[dict[str, object]]()
    reader = threading.Thread(target=lambda: log.extend(json.loads(line) for line in stderr))
    try:
        for line in stderr:
            log.append(json.loads(line))
            if log[-1]["event"] == "serving":
                break
        assert log and log[-1]["event"] == "serving", log
        daemon = Daemon(process, f"127.0.0.1:{log[-1]['port']}", log)
        reader.start()
        yield daemon
    finally:
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join()
        stderr.close()


@dataclass
class Wiretap:
    """Passes on what connects to `place`, and keeps it."""

    to: str
    place: str = ""
    heard: bytearray = field(default_factory=bytearray)

    @contextmanager
    def listening(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                host, _, port = self.to.rpartition(":")
                far = socket.create_connection((host, int(port)))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with source:
            with suppress(OSError):
                while data := source.recv(65536):
                    self.heard += data
                    sink.sendall(data)
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def root_of(network: LocalNetwork, party: str) -> str:
    return str(network.root / "parties" / party / "ca" / "ca.crt")


def record(network: LocalNetwork, target: str, name: str, ca: str) -> dict[str, object]:
    """The operator records evidence, as a user types it."""
    done = shuxin(
        *("tx", "send", "evidence", "record", name, "development.process", name, f"0x{DIGEST}", ""),
        *("--home", str(network.root / "parties" / "operator"), "--node", target),
        *("--tls-ca", ca, "--json"),
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_command_line_sends_and_follows_through_a_gateway_and_nobody_reads_along(
    network: LocalNetwork, tmp_path: Path
) -> None:
    name = f"unheard-{secrets.token_hex(6)}"
    ca = root_of(network, "operator")
    home = str(network.root / "parties" / "operator")
    with gateway(network, tmp_path, 1) as daemon:
        tap, plain = Wiretap(daemon.place), Wiretap(network.plan.nodes[1].api)
        with tap.listening() as place:
            sent = record(network, f"sm://{place}", name, ca)
            assert sent["status"] == "ok"
            height = str(sent["height"])
            followed = shuxin(
                *("event", "follow", "--from-height", height, "--contract", "evidence"),
                *("--count", "1", "--home", home, "--node", f"sm://{place}"),
                *("--tls-ca", ca, "--json"),
            )
        assert followed.returncode == 0, followed.stderr
        assert name in followed.stdout
        # The same in plain is heard: the search below can find something.
        with plain.listening() as place:
            record(network, place, f"{name}-plain", ca)
        assert name.encode() in plain.heard and b"shuxin" in plain.heard
        assert len(tap.heard) > 5_000
        for part in (name.encode(), bytes.fromhex(DIGEST), b"shuxin", b"evidence", b"grpc"):
            assert part not in tap.heard
        assert daemon.stop() == 0
        assert {line["event"] for line in daemon.log} <= {"credentials", "serving", "stopping"}


def test_a_gateway_of_another_organization_is_refused_by_name(
    network: LocalNetwork, tmp_path: Path
) -> None:
    with gateway(network, tmp_path, 1) as daemon:
        done = shuxin(
            *("node", "status", "--home", str(network.root / "parties" / "operator")),
            *("--node", f"sm://{daemon.place}", "--tls-ca", root_of(network, "manager")),
        )
        assert done.returncode == 1
        assert "tls.foreign" in done.stderr
        none = shuxin(
            *("node", "status", "--home", str(network.root / "parties" / "operator")),
            *("--node", f"sm://{daemon.place}"),
        )
        assert none.returncode == 1 and "--tls-ca" in none.stderr


@dataclass(frozen=True)
class Desk:
    """The operator's authority, and a user that it certified, by the commands that people type."""

    network: LocalNetwork
    folder: Path

    @property
    def party(self) -> Path:
        return self.network.root / "parties" / "operator"

    @property
    def certificate(self) -> Path:
        return self.folder / "user.crt"

    def enter(self, *words: str) -> None:
        done = shuxin(*words, "--home", str(self.party))
        assert done.returncode == 0, done.stderr

    def ca(self, *words: str) -> None:
        self.enter("ca", *words, "--ca", str(self.party / "ca"))

    def certify(self) -> None:
        asked = str(self.folder / "user.csr")
        self.enter(
            *("ca", "request", "user-1", "--organization", "operator", "--role", "user"),
            *("--output", asked),
        )
        self.ca("issue", asked, "--role", "user", "--output", str(self.certificate))

    def asks(self, daemon: Daemon) -> subprocess.CompletedProcess[str]:
        """The status of the node, asked with the user's certificate."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "client.toml").write_text(
            f'node = "sm://{daemon.place}"\ntls_ca = "{root_of(self.network, "operator")}"\n'
            f'tls_certificate = "{self.certificate}"\ntls_key = "{self.party}/keys/operator.pem"\n'
            f'passphrase_file = "{self.party}/keys/passphrase"\n'
            f'key = "{self.party}/keys/operator.pem"\n'
        )
        return shuxin("node", "status", "--home", str(home))


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    made = Desk(network, tmp_path)
    made.certify()
    return made


def test_a_client_certificate_opens_the_gateway_until_a_list_revokes_it(desk: Desk) -> None:
    network, crl = desk.network, str(desk.folder / "org.crl")
    ca = root_of(network, "operator")
    desk.ca("crl", "--output", crl)
    clients = f'certificates = true\nroots = ["{ca}"]\nlists = ["{crl}"]\nroles = ["user"]'
    with gateway(network, desk.folder / "g", 1, certificates=clients) as daemon:
        known = desk.asks(daemon)
        assert known.returncode == 0, known.stderr
        stranger = shuxin(
            *("node", "status", "--home", str(desk.party), "--node", f"sm://{daemon.place}"),
            *("--tls-ca", ca),
        )
        assert stranger.returncode == 1
        desk.ca("revoke", str(desk.certificate))
        desk.ca("crl", "--output", crl)
        daemon.process.send_signal(signal.SIGHUP)
        network.wait(
            lambda: [line["event"] for line in daemon.log].count("credentials") == 2,
            timeout_s=20,
            what="the gateway read the new list",
        )
        refused_as_revoked(desk, daemon)


def test_the_gateway_learns_from_the_chain_who_is_revoked(desk: Desk) -> None:
    ca = root_of(desk.network, "operator")
    clients = f'certificates = true\nroots = ["{ca}"]\nroles = ["user"]'
    chain = f'key = "{desk.party}/keys/operator.pem"\n'
    chain += f'passphrase_file = "{desk.party}/keys/passphrase"'
    with gateway(desk.network, desk.folder / "g", 1, certificates=clients, chain=chain) as daemon:
        desk.network.wait(
            lambda: desk.asks(daemon).returncode == 0, timeout_s=20, what="the chain was asked"
        )
        desk.enter("certificate", "revoke", str(desk.certificate), "--reason", "of a test")
        desk.network.wait(
            lambda: desk.asks(daemon).returncode == 1, timeout_s=30, what="the user is refused"
        )
        refused_as_revoked(desk, daemon)


def refused_as_revoked(desk: Desk, daemon: Daemon) -> None:
    gone = desk.asks(daemon)
    assert gone.returncode == 1 and "does not take this client" in gone.stderr
    reasons = {line["reason"] for line in daemon.log if line["event"] == "refused"}
    assert "revoked" in reasons, daemon.log


def test_a_client_with_two_gateways_goes_on_when_one_dies(
    network: LocalNetwork, tmp_path: Path
) -> None:
    bundle = tmp_path / "roots.crt"
    bundle.write_text(
        "".join(Path(root_of(network, p)).read_text() for p in ("operator", "manager"))
    )
    with (
        gateway(network, tmp_path, 1) as first,
        gateway(network, tmp_path, 0) as second,
    ):
        targets = f"sm://{first.place},sm://{second.place}"
        assert record(network, targets, f"two-{secrets.token_hex(6)}", str(bundle))
        first.process.kill()
        assert record(network, targets, f"one-{secrets.token_hex(6)}", str(bundle))


def test_openssl_finds_no_other_suite_at_the_gateway(network: LocalNetwork, tmp_path: Path) -> None:
    with gateway(network, tmp_path, 1) as daemon:
        for flags in ("-tls1_2", "-tls1_3", "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384"):
            with pytest.raises(subprocess.CalledProcessError):
                run(tmp_path, f"openssl s_client -connect {daemon.place} {flags}")
