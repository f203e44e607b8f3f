"""The signatures that a message stands on. The driver checks them before the replica sees it.

Nothing is derived from a message before all its signatures are verified: the replica trusts
every certificate that reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    Status,
    ViewChange,
    signing_bytes,
)
from consensus.pbft.schedule import leader
from crypto.provider import SignedItem
from ledger.certificates import VoteKind, commit_items, execution_items, vote_message
from ledger.errors import CertificateInvalid
from ledger.model import Signature, ValidatorSet


class ClaimInvalid(Exception):
    """A message claims what cannot be: too few signers, strangers, another chain."""


def outer_claim(
    message: Message, sender: int, signature: bytes, validators: ValidatorSet, chain_id: bytes
) -> SignedItem:
    """The sender's own signature. Raises ClaimInvalid for a stranger."""
    return _item(sender, signing_bytes(chain_id, message), signature, validators)


def claims(
    message: Message, sender: int, validators: ValidatorSet, chain_id: bytes, *, base: int = 0
) -> list[SignedItem]:
    """Every signature embedded in `message`, each once; the outer one is not among them.

    `validators` is the committee of the heights above `base`: what is below was signed by another
    and cannot be judged here. Raises ClaimInvalid if the message cannot be right whatever its
    signatures say.
    """
    if not 0 <= sender < validators.size:
        raise ClaimInvalid(f"there is no validator {sender}")
    if not _is_of_epoch(message, base):
        raise ClaimInvalid(f"it belongs to another epoch than the one above {base}")
    try:
        return list(dict.fromkeys(_items(message, sender, validators, chain_id)))
    except CertificateInvalid as error:
        raise ClaimInvalid(str(error)) from None


def _is_of_epoch(message: Message, base: int) -> bool:
    """Votes, statements and positions name heights; the replica ignores those below its base."""
    match message:
        case ViewChange():
            return message.epoch == base
        case NewView():
            return _is_new_view_of_epoch(message, base)
        case RelayedNewView():
            return _is_new_view_of_epoch(message.new_view, base)
        case Decision():
            return message.certificate.height > base
        case Certified():
            return message.certificate.statement.height > base
        case (  # pragma: no branch (no other kind)
            PrePrepare() | Prepare() | Commit() | Checkpoint() | Status() | RelayedVote()
        ):
            return True


def _is_new_view_of_epoch(new_view: NewView, base: int) -> bool:
    return all(signed.view_change.epoch == base for signed in new_view.view_changes)


def _items(
    message: Message, sender: int, validators: ValidatorSet, chain_id: bytes
) -> Iterable[SignedItem]:
    match message:
        case PrePrepare() | Prepare() | Commit() | Status():
            return ()
        case Checkpoint():
            if message.statement.chain_id != chain_id:
                raise ClaimInvalid("checkpoint: it belongs to another chain")
            return ()
        case ViewChange():
            return _view_change_items(message, validators, chain_id)
        case NewView():
            return _new_view_items(message, sender, validators, chain_id)
        case RelayedNewView():
            inner = signing_bytes(chain_id, message.new_view)
            return [
                _item(message.leader, inner, message.signature, validators),
                *_new_view_items(message.new_view, message.leader, validators, chain_id),
            ]
        case RelayedVote():
            inner = signing_bytes(chain_id, message.vote)
            return [_item(message.voter, inner, message.signature, validators)]
        case Decision():
            return commit_items(message.certificate, validators, chain_id)
        case Certified():  # pragma: no branch (no other kind)
            return execution_items(message.certificate, validators, chain_id)


def _view_change_items(
    message: ViewChange, validators: ValidatorSet, chain_id: bytes
) -> list[SignedItem]:
    if len(message.unfit) > validators.fault_bound:
        raise ClaimInvalid("view change: more replicas called unfit than may fail")
    if any(index >= validators.size for index in message.unfit):
        raise ClaimInvalid("view change: a stranger called unfit")
    items: list[SignedItem] = []
    if message.stable is not None:
        items += execution_items(message.stable, validators, chain_id)
    for certificate in message.prepared:
        items += _prepared_items(certificate, validators, chain_id)
    return items


def _prepared_items(
    certificate: PreparedCertificate, validators: ValidatorSet, chain_id: bytes
) -> list[SignedItem]:
    if len(certificate.signatures) < validators.quorum:
        raise ClaimInvalid(f"prepared certificate of height {certificate.height}: no quorum")
    _ascending(certificate.signatures)
    signed = vote_message(
        VoteKind.PREPARE, chain_id, certificate.view, certificate.height, certificate.digest
    )
    return [
        _item(entry.validator, signed, entry.signature, validators)
        for entry in certificate.signatures
    ]


def _new_view_items(
    message: NewView, sender: int, validators: ValidatorSet, chain_id: bytes
) -> list[SignedItem]:
    if sender != leader(message.view, validators.size):
        raise ClaimInvalid(f"new view {message.view}: {sender} is not its leader")
    if len(message.view_changes) < validators.quorum:
        raise ClaimInvalid(f"new view {message.view}: no quorum of view changes")
    items: list[SignedItem] = []
    previous = -1
    for signed in message.view_changes:
        if signed.sender <= previous or signed.view_change.view != message.view:
            raise ClaimInvalid(f"new view {message.view}: its view changes do not belong together")
        inner = signing_bytes(chain_id, signed.view_change)
        items.append(_item(signed.sender, inner, signed.signature, validators))
        items += _view_change_items(signed.view_change, validators, chain_id)
        previous = signed.sender
    return items


def _ascending(signatures: tuple[Signature, ...]) -> None:
    previous = -1
    for entry in signatures:
        if entry.validator <= previous:
            raise ClaimInvalid("prepared certificate: validator indexes must ascend strictly")
        previous = entry.validator


def _item(index: int, message: bytes, signature: bytes, validators: ValidatorSet) -> SignedItem:
    if not 0 <= index < validators.size:
        raise ClaimInvalid(f"there is no validator {index}")
    return SignedItem(validators.validators[index].public_key, message, signature)
