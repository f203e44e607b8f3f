"""An organization's certificate authority (CA, 证书): SM2 certificates of its people and machines.

What is issued says organization, role and name; openssl reads and verifies all of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table

if TYPE_CHECKING:
    from crypto.x509.authority import Authority
    from crypto.x509.profile import Role
    from crypto.x509.read import Certificate, RevocationList

app = typer.Typer()
FOLDER = "ca"  # in the home
EXPIRY_DAYS = 30  # `list` marks what ends within these

CaFolder = Annotated[
    Path | None, typer.Option("--ca", help="Folder of the authority; default: ca in the home.")
]
RoleName = Annotated[
    str, typer.Option("--role", help="node, user, executor, publisher or auditor.")
]
Output = Annotated[Path, typer.Option(help="The file to write; it must not exist.")]
Which = Annotated[str, typer.Argument(help="Serial in hex, or a certificate's file.")]
LeafDays = Annotated[int, typer.Option(help="How long it is good.")]


@verb(app, "new")
def new(
    ask: Invocation,
    organization: Annotated[str, typer.Argument(help="The organization's id, as on the chain.")],
    ca: CaFolder = None,
    name: Annotated[str, typer.Option(help="Name of the root; default: ORGANIZATION-ca.")] = "",
    days: Annotated[int, typer.Option(help="How long the root is good.")] = 3650,
) -> Answer:
    """Make an authority: a root certificate and its key, encrypted under the passphrase."""
    from crypto.x509.authority import Authority

    folder = _folder(ask, ca)
    passphrase = ask.passphrase(confirm=True)
    made = Authority.create(
        folder, organization, name or f"{organization}-ca", passphrase, _now(), days
    )
    return Fields({"folder": str(folder), **_told(made.root)})


@verb(app, "request")
def request(
    ask: Invocation,
    name: Annotated[str, typer.Argument(help="Whom or what the certificate is for.")],
    organization: Annotated[str, typer.Option(help="The organization that shall issue it.")],
    role: RoleName,
    output: Output,
    peer_id: Annotated[
        str, typer.Option(help="Of a node, as `shuxin validator list` shows it.")
    ] = "",
) -> Answer:
    """Ask for a certificate for the key of --key (PKCS #10), which stays where it is."""
    from crypto.x509.make import make_request
    from crypto.x509.profile import Subject
    from crypto.x509.read import REQUEST, encode_pem

    subject = Subject(organization, name, _role(role), peer_id)
    provider = ask.provider()
    made = make_request(provider, subject)
    _write_new(output, encode_pem(made, REQUEST))
    return Fields(
        {"request": str(output), "for": str(subject), "public_key": provider.public_key.hex()}
    )


@verb(app, "issue")
def issue(
    ask: Invocation,
    request: Annotated[Path, typer.Argument(help="What `ca request` or openssl wrote.")],
    role: RoleName,
    output: Output,
    ca: CaFolder = None,
    days: LeafDays = 365,
) -> Answer:
    """Certify the key of a request. You say the role: a request may ask for anything."""
    from crypto.x509.authority import read_file
    from crypto.x509.make import subject_of
    from crypto.x509.read import read_request

    asked = read_request(read_file(request))
    subject = subject_of(asked)
    if subject.role is not _role(role):
        raise CommandRefused(
            "ca.role", f"the request is for {subject}; you said {role}: have it asked for anew"
        )
    _check_free(output)
    return _issued(_opened(ask, ca).issue(asked, subject, _now(), days), output)


@verb(app, "renew")
def renew(
    ask: Invocation, which: Which, output: Output, ca: CaFolder = None, days: LeafDays = 365
) -> Answer:
    """A later certificate for the same holder and key; the old one stays good until it ends."""
    _check_free(output)
    authority = _opened(ask, ca)
    return _issued(authority.renew(_found(authority, which), _now(), days), output)


@verb(app, "revoke")
def revoke(ask: Invocation, which: Which, ca: CaFolder = None) -> Answer:
    """Name it in every revocation list from now on; the chain is told by `certificate revoke`."""
    authority = _opened(ask, ca)
    certificate = _found(authority, which)
    authority.revoke(certificate, _now())
    serial, organization = f"{certificate.serial:x}", certificate.subject.organization
    return Fields(
        {
            "revoked": serial,
            "of": str(certificate.subject),
            "next": f"shuxin certificate revoke {serial} --organization {organization} "
            "--reason WHY: nodes go by the chain; outsiders by `ca crl`",
        }
    )


@verb(app, "crl")
def crl(
    ask: Invocation,
    output: Annotated[Path, typer.Option(help="The file to write; an older list is replaced.")],
    ca: CaFolder = None,
    days: Annotated[int, typer.Option(help="Until the next one.")] = 7,
) -> Answer:
    """Write a new revocation list (CRL) for those who are not on the chain."""
    from crypto.files import replace_file
    from crypto.x509.read import CRL, encode_pem, read_crl

    made = _opened(ask, ca).crl(_now(), days)
    replace_file(output, encode_pem(made, CRL))
    return Fields({"crl": str(output), **_list_told(read_crl(made))})


@verb(app, "list")
def list_issued(ask: Invocation, ca: CaFolder = None) -> Answer:
    """All certificates that the authority gave, what ends soon and what is revoked."""
    from crypto.x509.authority import AuthorityFolder

    found = AuthorityFolder(_existing(ask, ca))
    rows: list[list[Json]] = [
        [
            f"{one.serial:x}",
            one.subject.name,
            str(one.subject.role),
            f"{one.not_after:%Y-%m-%d}",
            "revoked" if found.is_revoked(one.serial) else _standing(one),
        ]
        for one in sorted(found.issued(), key=lambda one: one.not_after)
    ]
    return Table(("serial", "name", "role", "ends", "state"), rows)


@verb(app, "show")
def show(
    ask: Invocation,
    file: Annotated[Path, typer.Argument(help="A certificate, a request or a revocation list.")],
    root: Annotated[
        list[Path] | None, typer.Option(help="A root to judge it by; repeatable.")
    ] = None,
    crl: Annotated[
        list[Path] | None, typer.Option(help="A revocation list to judge it by; repeatable.")
    ] = None,
) -> Answer:
    """Show what it says; with --root also whether to believe it."""
    from crypto.x509.authority import read_file
    from crypto.x509.read import read_certificate, read_crl, read_request
    from crypto.x509.verify import Trust, verify_certificate, verify_crl, verify_root

    data = read_file(file)
    roots = tuple(read_certificate(read_file(path)) for path in root or ())
    lists = tuple(read_crl(read_file(path)) for path in crl or ())
    if b"BEGIN CERTIFICATE REQUEST" in data:
        asked = read_request(data)
        return Fields({"request": str(asked.subject), "public_key": asked.public_key.hex()})
    if b"BEGIN X509 CRL" in data:
        found = read_crl(data)
        for trusted in roots:
            verify_crl(found, trusted, _now())
        return Fields({**_list_told(found), "verified": bool(roots)})
    certificate = read_certificate(data)
    if certificate.is_root:
        verify_root(certificate, _now())
    elif roots:
        verify_certificate(certificate, Trust(roots, lists), _now())
    verified = "certifies itself" if certificate.is_root else bool(roots)
    return Fields({**_told(certificate), "verified": verified})


# --- parts --------------------------------------------------------------------------------------


def _folder(ask: Invocation, ca: Path | None) -> Path:
    return ca if ca is not None else ask.home / FOLDER


def _existing(ask: Invocation, ca: Path | None) -> Path:
    from crypto.x509.authority import ROOT_FILE

    folder = _folder(ask, ca)
    if not (folder / ROOT_FILE).exists():
        raise CommandRefused(
            "ca.missing", f"{folder} holds no authority: name one with --ca, or make it: ca new"
        )
    return folder


def _opened(ask: Invocation, ca: Path | None) -> Authority:
    from crypto.x509.authority import KEY_FILE, Authority

    folder = _existing(ask, ca)
    return Authority.open(folder, ask.passphrase(folder / KEY_FILE))


def _found(authority: Authority, which: str) -> Certificate:
    from crypto.x509.authority import read_file
    from crypto.x509.read import read_certificate

    path = Path(which)
    if path.is_file():
        return read_certificate(read_file(path))
    try:
        serial = int(which, 16)
    except ValueError:
        raise CommandRefused("ca.which", f"{which} is no file and no serial in hex") from None
    return authority.find(serial)


def _role(name: str) -> Role:
    from crypto.x509.profile import Role

    try:
        return Role(name)
    except ValueError:
        roles = ", ".join(Role)
        raise CommandRefused("ca.role", f"there is no role {name!r}: use one of {roles}") from None


def _issued(certificate: Certificate, output: Path) -> Answer:
    from crypto.x509.read import CERTIFICATE, encode_pem

    _write_new(output, encode_pem(certificate.der, CERTIFICATE))
    return Fields({"certificate": str(output), **_told(certificate)})


def _check_free(output: Path) -> None:
    if output.exists():
        raise CommandRefused("ca.exists", f"{output} exists and is not overwritten: move it")


def _write_new(output: Path, data: bytes) -> None:
    from crypto.files import replace_file

    _check_free(output)
    replace_file(output, data)


def _told(certificate: Certificate) -> dict[str, Json]:
    subject = certificate.subject
    told: dict[str, Json] = {
        "organization": subject.organization,
        "role": "root" if subject.role is None else subject.role.value,
        "name": subject.name,
        "serial": f"{certificate.serial:x}",
        "fingerprint": certificate.fingerprint.hex(),
        "begins": f"{certificate.not_before:%Y-%m-%d %H:%M:%S} UTC",
        "ends": f"{certificate.not_after:%Y-%m-%d %H:%M:%S} UTC",
        "state": _standing(certificate),
        "public_key": certificate.public_key.hex(),
    }
    if subject.peer_id:
        told["peer_id"] = subject.peer_id
    return told


def _list_told(crl: RevocationList) -> dict[str, Json]:
    return {
        "organization": crl.issuer.organization,
        "number": crl.number,
        "until": f"{crl.next_update:%Y-%m-%d %H:%M:%S} UTC",
        "revoked": [f"{entry.serial:x}" for entry in crl.revoked],
    }


def _standing(certificate: Certificate) -> str:
    left = certificate.not_after - _now()
    if left.total_seconds() <= 0:
        return "expired"
    return f"ends in {left.days} days" if left.days < EXPIRY_DAYS else "good"


def _now() -> datetime:
    return datetime.now(UTC)
