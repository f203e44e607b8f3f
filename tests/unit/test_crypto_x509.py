"""SM2 certificates: what is refused and by which reason, and what openssl makes of ours."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import CertificateRefused, Reason
from crypto.x509.make import make_leaf, make_request
from crypto.x509.profile import CERTIFICATE_SIZE_MAX, Role, Subject
from crypto.x509.read import (
    CERTIFICATE,
    CRL,
    REQUEST,
    Certificate,
    encode_pem,
    read_certificate,
    read_crl,
    read_request,
)
from crypto.x509.verify import Trust, verify_certificate, verify_crl, verify_root
from tests.x509_world import DAY, NODE, NOW, OTHER_PEER, PEER, Org, keys, organization

DISTID = "distid:1234567812345678"


@pytest.fixture(scope="module")
def org() -> Org:
    return organization()


@pytest.fixture(scope="module")
def node(org: Org) -> Certificate:
    return org.leaf()


def _reason(
    certificate: Certificate, trust: Trust, now: datetime = NOW, **wanted: object
) -> Reason | None:
    try:
        verify_certificate(certificate, trust, now, **wanted)  # type: ignore[arg-type]
    except CertificateRefused as refused:
        assert len(str(refused)) > 20
        return refused.reason
    return None


# --- refused ------------------------------------------------------------------------------------


def test_each_fault_is_refused_by_the_name_of_its_reason(org: Org, node: Certificate) -> None:
    trust = Trust((org.root,))
    impostor = organization()
    other = organization("org2")
    revoked = Trust((org.root,), (org.crl(node.serial),))
    known = Trust((org.root,), (), frozenset({("org1", node.serial)}))
    for certificate, at, now, wanted, reason in (
        (node, Trust(()), NOW, {}, Reason.FOREIGN),
        (other.leaf(replace(NODE, organization="org2")), trust, NOW, {}, Reason.FOREIGN),
        (impostor.leaf(), trust, NOW, {}, Reason.FOREIGN),
        (node, trust, NOW + 366 * DAY, {}, Reason.EXPIRED),
        (node, trust, NOW - DAY, {}, Reason.EARLY),
        (node, revoked, NOW, {}, Reason.REVOKED),
        (node, known, NOW, {}, Reason.REVOKED),
        (node, Trust((org.root,), (org.crl(),)), NOW + 8 * DAY, {}, Reason.CRL_EXPIRED),
        (node, trust, NOW, {"role": Role.USER}, Reason.ROLE),
        (node, trust, NOW, {"organization": "org2"}, Reason.ORGANIZATION),
        (node, trust, NOW, {"peer_id": OTHER_PEER}, Reason.PEER),
        (org.root, trust, NOW, {}, Reason.ROLE),
    ):
        assert _reason(certificate, at, now, **wanted) is reason


def test_an_impostor_without_key_identifiers_is_told_as_tampered(org: Org) -> None:
    """Names and key ids of the true root, another key's signature."""
    impostor = Org(keys(), org.root)
    forged = replace(org.root, public_key=impostor.provider.public_key)
    made = make_leaf(impostor.provider, forged, NODE, keys().public_key, NOW)
    # Key ids differ, so OpenSSL finds no issuer; with equal ids only the signature tells.
    assert _reason(read_certificate(made), Trust((org.root,))) is Reason.FOREIGN
    bent = bytearray(org.leaf().der)
    bent[-1] ^= 1
    assert _reason(read_certificate(bytes(bent)), Trust((org.root,))) is Reason.TAMPERED


def test_a_refusal_leaves_no_error_for_the_next_call_of_the_thread(org: Org) -> None:
    bent = bytearray(org.leaf().der)
    bent[-1] ^= 1
    with pytest.raises(CertificateRefused):
        verify_certificate(read_certificate(bytes(bent)), Trust((org.root,)), NOW)
    decryptor = Cipher(SM4(bytes(16)), modes.GCM(bytes(12), bytes(16))).decryptor()
    with pytest.raises(InvalidTag):
        decryptor.finalize()


def test_every_flipped_byte_of_a_certificate_is_refused(org: Org, node: Certificate) -> None:
    trust = Trust((org.root,))
    for position in range(len(node.der)):
        bent = bytearray(node.der)
        bent[position] ^= 0x01
        with pytest.raises(CertificateRefused):
            verify_certificate(read_certificate(bytes(bent)), trust, NOW)


def test_every_flipped_byte_of_a_list_or_request_is_refused(org: Org, node: Certificate) -> None:
    crl = org.crl(node.serial).der
    request = make_request(keys(), NODE)
    for position in range(len(crl)):
        bent = bytearray(crl)
        bent[position] ^= 0x01
        with pytest.raises(CertificateRefused):
            verify_crl(read_crl(bytes(bent)), org.root, NOW)
    for position in range(len(request)):
        bent = bytearray(request)
        bent[position] ^= 0x01
        with pytest.raises(CertificateRefused):
            read_request(bytes(bent))


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 2), st.integers(0, 600), st.integers(0, 600))
def test_garbage_and_cut_pieces_raise_one_error(
    noise: bytes, which: int, begin: int, end: int
) -> None:
    reader = (read_certificate, read_request, read_crl)[which]
    for data in (noise, b"\x30" + noise, _SAMPLE[:begin] + noise + _SAMPLE[end:]):
        if data == _SAMPLE:
            continue
        try:
            reader(data)
        except CertificateRefused as refused:
            assert refused.code.startswith("certificate.")


_SAMPLE = organization().leaf().der


def test_pem_holds_one_block_of_the_kind_and_is_bounded(node: Certificate) -> None:
    pem = encode_pem(node.der, CERTIFICATE)
    assert read_certificate(b"some text that openssl writes\n" + pem) == node
    for bad in (pem + pem, pem.replace(b"CERTIFICATE", b"X509 CRL"), pem.replace(b"M", b"!"), b""):
        with pytest.raises(CertificateRefused) as refused:
            read_certificate(bad)
        assert refused.value.reason is Reason.MALFORMED
    with pytest.raises(CertificateRefused, match="bytes"):
        read_certificate(b"\x30" * (CERTIFICATE_SIZE_MAX + 1))


@pytest.mark.parametrize(
    "subject",
    [
        Subject("Org 1", "n1", Role.USER),
        Subject("org1", "", Role.USER),
        Subject("org1", "n1", Role.NODE),
        Subject("org1", "n1", Role.USER, PEER),
        Subject("org1", "n1", Role.NODE, "../../etc"),
        Subject("org1", "x" * 65, Role.USER),
    ],
)
def test_unfit_names_are_not_certified(org: Org, subject: Subject) -> None:
    with pytest.raises(CertificateRefused) as refused:
        org.leaf(subject)
    assert refused.value.reason is Reason.NAME


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of `cryptography`, of the same
@pytest.mark.parametrize("number", [0, -5, 1 << 160, 1 << 200])
def test_a_serial_by_which_the_chain_could_not_revoke_is_refused(org: Org, number: int) -> None:
    made = org.leaf()
    with pytest.raises(CertificateRefused, match="serial") as refused:
        read_certificate(org.with_serial(made, number))
    assert refused.value.reason is Reason.MALFORMED
    for fine in (1, 255, (1 << 160) - 1):
        assert read_certificate(org.with_serial(made, fine)).serial == fine


def test_a_root_certifies_only_its_own_and_not_beyond_its_end(org: Org) -> None:
    for subject, days, reason in (
        (replace(NODE, organization="org2"), 365, Reason.ORGANIZATION),
        (Subject("org1", "sub-ca", None), 365, Reason.ORGANIZATION),
        (NODE, 826, Reason.EXPIRED),
        (NODE, 0, Reason.EXPIRED),
    ):
        with pytest.raises(CertificateRefused) as refused:
            org.leaf(subject, days=days)
        assert refused.value.reason is reason
    short = organization(days=100)
    with pytest.raises(CertificateRefused, match="fewer"):
        short.leaf(days=101)
    with pytest.raises(CertificateRefused, match="key"):
        make_leaf(keys(), org.root, NODE, keys().public_key, NOW)


def test_a_list_is_believed_of_its_root_in_its_time_only(org: Org) -> None:
    crl = org.crl(5)
    verify_crl(crl, org.root, NOW)
    for root, now, reason in (
        (organization().root, NOW, Reason.TAMPERED),  # another key under the same name
        (organization("org2").root, NOW, Reason.FOREIGN),
        (org.root, NOW + 8 * DAY, Reason.CRL_EXPIRED),
        (org.root, NOW - DAY, Reason.CRL_EXPIRED),
    ):
        with pytest.raises(CertificateRefused) as refused:
            verify_crl(crl, root, now)
        assert refused.value.reason is reason


# --- accepted -----------------------------------------------------------------------------------


def test_a_good_certificate_is_accepted_for_whom_it_is(org: Org, node: Certificate) -> None:
    trust = Trust((organization("org2").root, org.root), (org.crl(node.serial + 1),))
    verify_certificate(node, trust, NOW, role=Role.NODE, organization="org1", peer_id=PEER)
    verify_root(org.root, NOW)
    assert node.subject == NODE and node.issuer == org.root.subject


def test_times_beyond_2049_are_written_and_read(org: Org) -> None:
    late = organization(now=NOW.replace(year=2045), days=3650)
    assert late.root.not_after.year == 2055
    verify_root(late.root, NOW.replace(year=2054))


def test_a_request_says_who_holds_the_key() -> None:
    holder = keys()
    found = read_request(encode_pem(make_request(holder, NODE), REQUEST))
    assert (found.subject, found.public_key) == (NODE, holder.public_key)


# --- openssl ------------------------------------------------------------------------------------


def _openssl(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture
def files(tmp_path: Path, org: Org, node: Certificate) -> Path:
    (tmp_path / "ca.crt").write_bytes(encode_pem(org.root.der, CERTIFICATE))
    (tmp_path / "n1.crt").write_bytes(encode_pem(node.der, CERTIFICATE))
    (tmp_path / "n1.crl").write_bytes(encode_pem(org.crl(node.serial).der, CRL))
    (tmp_path / "n1.csr").write_bytes(encode_pem(make_request(keys(), NODE), REQUEST))
    return tmp_path


def test_openssl_verifies_our_chain_list_and_request(files: Path, node: Certificate) -> None:
    at = str(int(NOW.timestamp()))
    base = ("verify", "-vfyopt", DISTID, "-attime", at, "-x509_strict", "-CAfile", "ca.crt")
    assert "n1.crt: OK" in _openssl(*base, "n1.crt", cwd=files)
    request = _openssl("req", "-in", "n1.csr", "-noout", "-verify", "-vfyopt", DISTID, cwd=files)
    assert "verify OK" in request
    # OpenSSL 3.0 verifies lists under another signer id only; so its signature is verified alone.
    crl = x509.load_pem_x509_crl((files / "n1.crl").read_bytes())
    (files / "body").write_bytes(crl.tbs_certlist_bytes)
    (files / "signature").write_bytes(crl.signature)
    verify = ("pkeyutl", "-verify", "-certin", "-inkey", "ca.crt", "-rawin", "-digest", "sm3")
    signed = ("-in", "body", "-sigfile", "signature", "-pkeyopt", DISTID)
    assert "Verified Successfully" in _openssl(*verify, *signed, cwd=files)
    listed = _openssl("crl", "-in", "n1.crl", "-noout", "-text", cwd=files)
    assert f"{node.serial:X}" in listed and "SM2-with-SM3" in listed
    shown = _openssl("x509", "-in", "n1.crt", "-noout", "-text", cwd=files)
    assert "O = org1, OU = node, CN = n1" in shown and f"URI:libp2p:{PEER}" in shown


def test_what_openssl_makes_is_accepted(tmp_path: Path) -> None:
    def run(*arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=30
        )

    for name in ("ca", "n1"):
        run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:sm2", "-out", f"{name}.k")
    run(
        *("req", "-new", "-x509", "-key", "ca.k", "-sm3", "-sigopt", DISTID, "-days", "900"),
        *("-subj", "/O=org1/CN=org1-ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-out", "ca.crt"),
    )
    run(
        *("req", "-new", "-key", "n1.k", "-sm3", "-sigopt", DISTID),
        *("-subj", "/O=org1/OU=node/CN=n1", "-addext", f"subjectAltName=URI:libp2p:{PEER}"),
        *("-out", "n1.csr"),
    )
    (tmp_path / "n1.ext").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=URI:libp2p:{PEER}\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run(
        *("x509", "-req", "-in", "n1.csr", "-CA", "ca.crt", "-CAkey", "ca.k", "-sm3"),
        *("-CAcreateserial", "-days", "90", "-extfile", "n1.ext", "-out", "n1.crt"),
        *("-sigopt", DISTID, "-vfyopt", DISTID),
    )
    root = read_certificate((tmp_path / "ca.crt").read_bytes())
    leaf = read_certificate((tmp_path / "n1.crt").read_bytes())
    assert read_request((tmp_path / "n1.csr").read_bytes()).subject == NODE
    now = leaf.not_before + DAY
    verify_root(root, now)
    verify_certificate(leaf, Trust((root,)), now, role=Role.NODE, peer_id=PEER)
    assert _reason(leaf, Trust((root,)), now + 365 * DAY) is Reason.EXPIRED
