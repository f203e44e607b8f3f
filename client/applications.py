"""Applications of parties (入驻申请): the text that applicants sign, and the file it travels in.

An applicant writes what it asks for and signs it without any node, with the key of each account
that it names, one after the other. The text is the one that the contract `admission` makes, so
that a manager can make it of what a node answers, and name the digest of what it read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import msgspec

from client.account import Account
from client.errors import ClientError
from client.grant_terms import TermsUnreadable, number_of, text_of, texts_of
from crypto import sm2, sm3
from crypto.errors import CryptoError
from crypto.files import replace_file
from ledger.model import address_of
from ledger.values import Key, Value

DOMAIN: Final = b"shuxin/application/1:"  # before the SM3 of the text, where a key signs
FORMAT: Final = "shuxin application 1"  # of file and text
ACCOUNTS_MAX: Final = 8
FILE_SIZE_MAX: Final = 64 << 10  # bytes; an application has some thousands
SELECTED_ROLES: Final = frozenset(("tech_provider", "developer"))


class ApplicationInvalid(ClientError):
    """A file is no application, or one that cannot be signed so; says why."""


@dataclass(frozen=True, slots=True)
class Application:
    """What an applicant asks for. `accounts` are addresses, `documents` an SM3."""

    id: str
    party: str
    name: str
    organization: str
    roles: tuple[str, ...]
    accounts: tuple[str, ...]
    documents: bytes
    sponsor: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Signed:
    """An application for one chain, and by public key who signed it so far."""

    application: Application
    chain_id: bytes
    signatures: Mapping[bytes, bytes]

    @property
    def missing(self) -> tuple[str, ...]:
        """The accounts whose keys have yet to sign."""
        done = {address_of(key) for key in self.signatures}
        return tuple(account for account in self.application.accounts if account not in done)


def terms_text(application: Application, chain_id: bytes) -> str:
    """The canonical text of an application for a chain."""
    return "\n".join(
        [
            FORMAT,
            f"chain {chain_id.hex()}",
            f"application {application.id}",
            f"party {application.party}",
            f"name {len(application.name)} {application.name}",
            f"organization {application.organization}",
            f"sponsor {application.sponsor}",
            f"expires {application.expires_ms}",
            f"documents {application.documents.hex()}",
            f"roles {len(application.roles)}",
            *application.roles,
            f"accounts {len(application.accounts)}",
            *application.accounts,
        ]
    )


def terms_digest(application: Application, chain_id: bytes) -> bytes:
    """What applicants sign, and a manager names when it admits."""
    return sm3.digest(terms_text(application, chain_id).encode())


def message_of(application: Application, chain_id: bytes) -> bytes:
    """The bytes that go under a signature."""
    return DOMAIN + terms_digest(application, chain_id)


def application_of(record: Mapping[Key, Value]) -> Application:
    """An application as `admission.show` answers it. Raises TermsUnreadable."""
    documents = record.get("documents")
    if not isinstance(documents, bytes):
        raise TermsUnreadable("the answer of the node has no bytes documents")
    return Application(
        id=text_of(record, "id"),
        party=text_of(record, "party"),
        name=text_of(record, "name"),
        organization=text_of(record, "organization"),
        roles=tuple(texts_of(record, "roles")),
        accounts=tuple(texts_of(record, "accounts")),
        documents=documents,
        sponsor=text_of(record, "sponsor"),
        expires_ms=number_of(record, "expires_ms"),
    )


def sign(signed: Signed, account: Account) -> Signed:
    """With the signature of one more of its accounts. Raises ApplicationInvalid."""
    if account.address not in signed.application.accounts:
        named = ", ".join(signed.application.accounts)
        raise ApplicationInvalid(
            f"it is signed by the accounts that it names, {named}, and this key is of "
            f"{account.address}: name another with --key, or write it anew"
        )
    message = message_of(signed.application, signed.chain_id)
    signatures = {**signed.signatures, account.public_key: account.sign(message)}
    return replace(signed, signatures=signatures)


def apply_args(signed: Signed) -> list[Value]:
    """The arguments of `admission.apply`: keys in the order of the accounts in the text.

    Raises ApplicationInvalid for one that not all have signed.
    """
    if signed.missing:
        raise ApplicationInvalid(
            f"it is not signed by {', '.join(signed.missing)}: whoever has the key adds it with "
            "`shuxin party sign-application FILE`"
        )
    asked = signed.application
    keys: dict[str, bytes] = {address_of(key): key for key in signed.signatures}
    ordered = [keys[account] for account in asked.accounts]
    return [
        asked.id,
        asked.party,
        asked.name,
        asked.organization,
        list(asked.roles),
        asked.documents,
        asked.expires_ms,
        list(ordered),
        [signed.signatures[key] for key in ordered],
    ]


# --- the file ------------------------------------------------------------------------------------


class _Signature(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    public_key: str
    signature: str


class _Shown(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    format: str
    chain: str
    id: str
    party: str
    name: str
    organization: str
    roles: tuple[str, ...]
    accounts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=ACCOUNTS_MAX)]
    documents: str
    sponsor: str
    expires_ms: int
    signatures: Annotated[tuple[_Signature, ...], msgspec.Meta(max_length=ACCOUNTS_MAX)]


_decoder = msgspec.json.Decoder(_Shown)


def save(signed: Signed, path: Path) -> None:
    """Writes the file, which is readable text; one that is there is replaced whole."""
    asked = signed.application
    shown = _Shown(
        FORMAT,
        signed.chain_id.hex(),
        asked.id,
        asked.party,
        asked.name,
        asked.organization,
        asked.roles,
        asked.accounts,
        asked.documents.hex(),
        asked.sponsor,
        asked.expires_ms,
        tuple(_Signature(key.hex(), made.hex()) for key, made in signed.signatures.items()),
    )
    replace_file(path, msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")


def load(path: Path) -> Signed:
    """Reads a file, and checks what was signed in it. Raises ApplicationInvalid or OSError."""
    with path.open("rb") as file:
        data = file.read(FILE_SIZE_MAX + 1)
    if len(data) > FILE_SIZE_MAX:
        raise ApplicationInvalid(f"{path}: over {FILE_SIZE_MAX >> 10} KiB is no application")
    try:
        shown = _decoder.decode(data)
        signed = _signed_of(shown)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ApplicationInvalid(f"{path}: no application of a party: {error}") from None
    message = message_of(signed.application, signed.chain_id)
    for key, signature in signed.signatures.items():
        address = address_of(key)
        try:
            sm2.verify(key, message, signature)
        except CryptoError:
            raise ApplicationInvalid(
                f"{path}: {address} signed something else: it was changed since; write it anew"
            ) from None
        if address not in signed.application.accounts:
            raise ApplicationInvalid(f"{path}: {address} signed it and is none of its accounts")
    return signed


def _signed_of(shown: _Shown) -> Signed:
    if shown.format != FORMAT:
        raise ValueError(f"this release reads {FORMAT!r}")
    return Signed(
        Application(
            shown.id,
            shown.party,
            shown.name,
            shown.organization,
            shown.roles,
            shown.accounts,
            bytes.fromhex(shown.documents),
            shown.sponsor,
            shown.expires_ms,
        ),
        bytes.fromhex(shown.chain),
        {bytes.fromhex(one.public_key): bytes.fromhex(one.signature) for one in shown.signatures},
    )
