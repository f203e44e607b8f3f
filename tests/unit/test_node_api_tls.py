"""The client interface over TLS: who is believed, what is refused by name, renewal in the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from client.channel import Security, TlsTrust
from client.errors import NodeUnavailable
from client.node import NodeClient
from node.api.server import ApiServer
from node.api.tls import ServerTls, TlsFilesInvalid
from node.config import ApiTls, ConfigInvalid, NodeConfig, load_config
from tests.access_world import porter
from tests.moving_chain import Moving, Served
from tests.tls_world import Authority, authority, run
from tests.unit.test_node_config import rendered, written


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def serving(moving: Moving, files: ApiTls) -> Iterator[str]:
    server = ApiServer(
        Served(moving.chain),
        listen="127.0.0.1:0",
        porter=porter(),
        credentials=ServerTls(files).credentials(),
    )
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()


def _client(target: str, trust: TlsTrust | None = None) -> NodeClient:
    return NodeClient(target, timeout_s=3, security=Security(tls=trust))


def _why(target: str, trust: TlsTrust) -> str:
    with _client(target, trust) as client, pytest.raises(NodeUnavailable) as away:
        client.status()
    return away.value.detail


def test_a_client_that_believes_the_ca_is_answered_and_others_are_not(
    moving: Moving, ca: Authority, tmp_path: Path
) -> None:
    stranger = authority(tmp_path / "stranger")
    files = ApiTls(*ca.certify("server"), client_ca=None)
    with serving(moving, files) as place:
        with _client(f"tls://{place}", TlsTrust(ca.root.read_bytes())) as client:
            assert client.status().chain_id == moving.chain.chain_id
        assert "--tls-ca" in _why(f"tls://{place}", TlsTrust(stranger.root.read_bytes()))
        with _client(place) as plain, pytest.raises(NodeUnavailable):
            plain.status()


def test_a_certificate_for_another_host_is_not_believed(moving: Moving, ca: Authority) -> None:
    files = ApiTls(*ca.certify("elsewhere", host="192.0.2.1"), client_ca=None)
    with serving(moving, files) as place:
        assert "host name" in _why(f"tls://{place}", TlsTrust(ca.root.read_bytes()))


def test_with_a_client_ca_only_its_clients_are_taken(
    moving: Moving, ca: Authority, tmp_path: Path
) -> None:
    files = ApiTls(*ca.certify("server"), client_ca=ca.root)
    shown = TlsTrust(ca.root.read_bytes(), *(p.read_bytes() for p in ca.certify("client")))
    stranger = authority(tmp_path / "stranger").certify("client")
    with serving(moving, files) as place:
        with _client(f"tls://{place}", shown) as client:
            assert client.status().chain_id == moving.chain.chain_id
        for certificate, key in ((b"", b""), tuple(p.read_bytes() for p in stranger)):
            trust = TlsTrust(ca.root.read_bytes(), certificate, key)
            assert _why(f"tls://{place}", trust)


def test_new_files_serve_the_next_connection_and_bad_ones_nobody(
    moving: Moving, ca: Authority, tmp_path: Path
) -> None:
    newer = authority(tmp_path / "newer")
    certificate, key = (tmp_path / "server.crt", tmp_path / "server.key")

    def put(pair: tuple[Path, Path]) -> None:
        for source, place in zip(pair, (certificate, key), strict=True):
            fresh = place.with_suffix(".fresh")
            fresh.write_bytes(source.read_bytes())
            fresh.chmod(0o600)
            fresh.replace(place)

    def is_believed(authority: Authority, place: str) -> bool:
        with _client(f"tls://{place}", TlsTrust(authority.root.read_bytes())) as client:
            try:
                return client.status().chain_id == moving.chain.chain_id
            except NodeUnavailable:
                return False

    put(ca.certify("server"))
    with serving(moving, ApiTls(certificate, key, None)) as place:
        assert is_believed(ca, place) and not is_believed(newer, place)
        certificate.write_bytes(newer.certify("server")[0].read_bytes())  # half of a renewal
        with capture_logs() as logs:
            assert is_believed(ca, place)
        assert [line["event"] for line in logs] == ["tls_not_renewed"]
        put(newer.certify("server"))
        assert is_believed(newer, place) and not is_believed(ca, place)


# --- files that cannot be used --------------------------------------------------------------


def _spoilt(folder: Path, ca: Authority) -> list[tuple[Callable[[], None], str]]:
    certificate, key = folder / "server.crt", folder / "server.key"
    other = ca.certify("other")

    def sm2() -> None:
        run(
            folder,
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:sm2 -out server.key",
            "openssl req -new -x509 -key server.key -sm3 -sigopt distid:1234567812345678 "
            "-subj /CN=sm2 -days 3 -out server.crt",
        )
        key.chmod(0o600)

    return [
        (lambda: key.chmod(0o644), "chmod 600"),
        (lambda: os.unlink(key), "cannot be read"),
        (lambda: os.unlink(certificate), "cannot be read"),
        (lambda: _write(key, b"nonsense"), "holds no private key"),
        (lambda: _write(certificate, b"nonsense"), "holds no certificate"),
        (lambda: _write(certificate, bytes(300 << 10)), "more than"),
        (lambda: _write(key, other[1].read_bytes()), "is not for the key"),
        (
            lambda: run(folder, f"openssl ec -in {key} -aes128 -passout pass:x -out {key}"),
            "encrypted",
        ),
        (lambda: run(folder, f"openssl genrsa -out {key} 1024"), "P-256, P-384 or RSA"),
        (sm2, "shuxin gateway"),
    ]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_files_that_cannot_be_used_are_named_with_what_to_do(ca: Authority, tmp_path: Path) -> None:
    for number, (spoil, said) in enumerate(_spoilt(tmp_path, ca)):
        for source, name in zip(ca.certify("good"), ("server.crt", "server.key"), strict=True):
            (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / name).write_bytes(source.read_bytes())
            (tmp_path / name).chmod(0o600)
        files = ApiTls(tmp_path / "server.crt", tmp_path / "server.key", None)
        ServerTls(files)
        spoil()
        with pytest.raises(TlsFilesInvalid) as refused:
            ServerTls(files)
        assert said in str(refused.value), number
    assert "PRIVATE KEY" not in str(refused.value)


def test_one_whose_time_is_nearly_over_is_warned_of(ca: Authority) -> None:
    with capture_logs() as logs:
        ServerTls(ApiTls(*ca.certify("short", days=3), client_ca=None))
    assert [(line["log_level"], line["days"]) for line in logs] == [("warning", 2)]


# --- configuration --------------------------------------------------------------------------


def _configured(folder: Path, *lines: str, listen: str = "127.0.0.1:7101") -> NodeConfig:
    text = rendered().replace(
        'listen = "127.0.0.1:7101"', "\n".join((f'listen = "{listen}"', *lines))
    )
    return load_config(written(folder, text))


def test_beyond_loopback_a_node_speaks_tls_or_says_that_it_does_not(tmp_path: Path) -> None:
    for listen in ("0.0.0.0:7101", "192.0.2.7:7101", "[::]:7101", "node.example:7101"):
        with pytest.raises(ConfigInvalid, match="plain beyond this machine") as refused:
            _configured(tmp_path, listen=listen)
        assert refused.value.line
        assert _configured(tmp_path, "plain = true", listen=listen).api_tls is None
        tls = ('tls_certificate = "a"', 'tls_key = "b"')
        found = _configured(tmp_path, *tls, listen=listen).api_tls
        assert found == ApiTls(tmp_path / "a", tmp_path / "b", None)
        found = _configured(tmp_path, *tls, 'tls_client_ca = "c"', listen=listen).api_tls
        assert found == ApiTls(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    for listen in ("127.0.0.1:7101", "127.9.9.9:7101", "[::1]:7101", "localhost:7101"):
        assert _configured(tmp_path, listen=listen).api_tls is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('tls_certificate = "a"',), "lacks tls_key"),
        (('tls_key = "b"',), "without tls_certificate"),
        (('tls_client_ca = "c"',), "without tls_certificate"),
        (('tls_certificate = "a"', 'tls_key = "b"', "plain = true"), "contradicts"),
        (("plain = 1",), "true or false"),
    ],
)
def test_half_a_tls_is_refused(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        _configured(tmp_path, *lines)


# --- addresses ------------------------------------------------------------------------------


def test_addresses_that_are_none_are_refused() -> None:
    for target in ("http://127.0.0.1:1", "tls://127.0.0.1", "tls://a:1/path", "tls://"):
        with pytest.raises(ValueError, match="no address of a node"):
            NodeClient(target)
    with pytest.raises(ValueError, match="--tls-ca"):
        NodeClient("tls://127.0.0.1:1")


def test_a_key_stands_in_no_representation() -> None:
    assert "secret" not in repr(replace(TlsTrust(b"ca"), key=b"secret"))
