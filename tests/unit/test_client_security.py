"""From files to whom a client believes on its way to a node, and what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.channel import NO_SECURITY, split_target
from client.cluster import open_connection
from client.security import security_of
from crypto.errors import CertificateRefused, KeyFileInvalid, Reason
from crypto.keys import save_key
from crypto.x509.read import CERTIFICATE, CRL, encode_pem, read_certificates
from tests.smtls_world import CLIENT, clock, identity
from tests.x509_world import Org, organization

PASSPHRASE = b"a passphrase of tests"


@pytest.fixture
def org() -> Org:
    return organization(now=clock())


def _never() -> bytes:
    raise AssertionError("no key is encrypted here")


def _files(folder: Path, org: Org) -> dict[str, Path]:
    shown = identity(org, CLIENT)
    second = organization("org2", now=clock())
    roots = b"".join(encode_pem(one.root.der, CERTIFICATE) for one in (org, second))
    (folder / "roots.crt").write_bytes(roots)
    (folder / "org.crl").write_bytes(encode_pem(org.crl(now=clock()).der, CRL))
    (folder / "me.crt").write_bytes(encode_pem(shown.certificate.der, CERTIFICATE))
    save_key(folder / "me.pem", shown.private, PASSPHRASE)
    return {
        "tls_ca": folder / "roots.crt",
        "tls_crl": folder / "org.crl",
        "tls_certificate": folder / "me.crt",
        "tls_key": folder / "me.pem",
    }


def test_files_are_read_for_the_addresses_that_need_them_only(tmp_path: Path, org: Org) -> None:
    named = _files(tmp_path, org)
    assert security_of(["127.0.0.1:1"], {"tls_ca": tmp_path / "missing"}, _never) is NO_SECURITY
    found = security_of(["sm://a:1", "b:2"], named, lambda: PASSPHRASE)
    assert found.tls is None and found.sm is not None
    assert [root.subject.organization for root in found.sm.roots] == ["org1", "org2"]
    assert found.sm.identity is not None and found.sm.identity.certificate.subject == CLIENT
    assert len(found.sm.lists) == 1
    for name in ("tls_certificate", "tls_key"):
        named[name].write_bytes(b"PEM of another kind")
    both = security_of(["tls://a:1"], named, _never)
    assert both.sm is None and both.tls is not None
    assert both.tls.key == b"PEM of another kind"


def test_what_does_not_fit_is_refused_with_what_to_do(tmp_path: Path, org: Org) -> None:
    named = _files(tmp_path, org)
    half = {name: path for name, path in named.items() if name != "tls_key"}
    for targets in (["tls://a:1"], ["sm://a:1"]):
        with pytest.raises(ValueError, match="name both"):
            security_of(targets, half, _never)
    with pytest.raises(KeyFileInvalid, match="passphrase"):
        security_of(["sm://a:1"], named, lambda: b"wrong")
    named["tls_certificate"].write_bytes(
        encode_pem(identity(org, CLIENT).certificate.der, CERTIFICATE)
    )
    with pytest.raises(CertificateRefused) as refused:
        security_of(["sm://a:1"], named, lambda: PASSPHRASE)
    assert refused.value.reason is Reason.KEY
    named["tls_ca"].write_bytes(bytes(2 << 20))
    with pytest.raises(ValueError, match="too long"):
        security_of(["tls://a:1"], named, _never)
    for targets in (["tls://a:1"], ["sm://a:1"], ["tls://a:1", "sm://b:1"]):
        with pytest.raises(ValueError, match="--tls-ca"):
            open_connection(targets)


def test_a_bundle_of_roots_has_an_end(org: Org) -> None:
    block = encode_pem(org.root.der, CERTIFICATE)
    assert len(read_certificates(b"a comment\n" + block * 3 + b"\n")) == 3
    assert read_certificates(org.root.der) == (org.root,)
    for bad in (b"", b"nonsense", block * 65, block[:90]):
        with pytest.raises(CertificateRefused):
            read_certificates(bad)


def test_addresses_are_split_by_their_kind() -> None:
    assert split_target("127.0.0.1:1") == ("", "127.0.0.1:1")
    assert split_target("tls://[::1]:1") == ("tls", "[::1]:1")
    assert split_target("sm://host:1") == ("sm", "host:1")
