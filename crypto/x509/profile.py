"""What our certificates say, in which fields: narrower than X.509, so that one reading is left.

    root    O=organization, CN=NAME, no OU      CA:TRUE, pathlen 0; keyCertSign, cRLSign
    leaf    O=organization, OU=role, CN=NAME    CA:FALSE; digitalSignature; clientAuth, and
                                                serverAuth for a node; a node also has its libp2p
                                                peer id as the URI `libp2p:PEER` in the SAN

Role and organization are in the subject, where every tool shows them and `openssl req -subj` can
write them. There are no intermediate authorities: an organization has a root, the chain knows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

CERTIFICATE_SIZE_MAX = 4096  # bytes of DER; ours have about 600
REQUEST_SIZE_MAX = 4096
CRL_SIZE_MAX = 1 << 20  # bytes of DER: some 20,000 entries, more than an organization issues
FILE_SIZE_MAX = 2 * CRL_SIZE_MAX  # PEM adds a third

ROOT_DAYS = 3650
LEAF_DAYS = 365  # a year: who leaves without being revoked is out after it
LEAF_DAYS_MAX = 825
CRL_DAYS = 7
DAYS_MAX = 7300
# Issued certificates begin this much earlier: clocks differ, and a new one is used at once.
BACKDATED_S = 300

SERIAL_BITS_MAX = 160  # 20 bytes (RFC 5280, 4.1.2.2), as the contract `identity` has it
NAME_SIZE_MAX = 64  # characters of CN, O and OU: ub-common-name and its kin in RFC 5280
# As names on the chain are (contracts.dialect.is_name) for the parts that code compares.
_NAME = re.compile(r"[a-z0-9_.\-]{1,64}")
_PEER = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")  # base58, as libp2p writes peer ids

SM2_WITH_SM3 = "1.2.156.10197.1.501"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
SM2_CURVE = "1.2.156.10197.1.301"
PEER_SCHEME = "libp2p:"


class Role(StrEnum):
    """What the holder of a certificate does for its organization."""

    NODE = "node"  # 节点
    USER = "user"  # 用户
    EXECUTOR = "executor"  # 计算节点
    PUBLISHER = "publisher"  # 发布者
    AUDITOR = "auditor"  # 审计


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose certificate it is; a root has no role."""

    organization: str
    name: str
    role: Role | None
    peer_id: str = ""

    def __str__(self) -> str:
        kind = "root" if self.role is None else self.role.value
        return f"{kind} {self.name} of {self.organization}"


def is_name(text: str) -> bool:
    """Can it be an organization's id or the name of a holder?"""
    return _NAME.fullmatch(text) is not None


def is_peer_id(text: str) -> bool:
    """Does it look like a libp2p peer id?"""
    return _PEER.fullmatch(text) is not None


def check_subject(subject: Subject) -> str:
    """What is wrong with it, in words; empty if nothing is."""
    for what, text in (("organization", subject.organization), ("name", subject.name)):
        if not is_name(text):
            return f"its {what} {text!r:.80} is not 1 to {NAME_SIZE_MAX} of a-z 0-9 _ - ."
    is_node = subject.role is Role.NODE
    if is_node and not is_peer_id(subject.peer_id):
        return "a node's certificate names the peer id of the node (SAN, URI libp2p:PEER)"
    if not is_node and subject.peer_id:
        return "only a node's certificate names a peer id"
    return ""
