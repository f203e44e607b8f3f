"""Which methods a caller may call: levels are sets, not a ladder (8.1.7).

A method without an entry is refused to everybody, so that a new one is closed until somebody has
thought of it. Who has which level is said by the chain (node.api.standing), narrowed by the
node's configuration, never widened.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class Level(Enum):
    """What a caller is to this node. A caller has several, or only the first."""

    PUBLIC = "public"  # anybody, without a key
    MEMBER = "member"  # speaks for an active party, as a node, or by a registered certificate
    AUDITOR = "auditor"  # has a certificate of this role, or speaks for a managing party
    OPERATOR = "operator"  # speaks for the party that runs this node
    ADMIN = "admin"  # the node's own user or root, at its socket (node.admin), never here


NODE: Final = "/shuxin.v1.Node/"
_PUBLIC = frozenset({Level.PUBLIC})
_MEMBER = frozenset({Level.MEMBER})
# What was done by whom, gathered over the whole chain: for those who have to look into it.
_SURVEY = frozenset({Level.AUDITOR, Level.OPERATOR})

LEVELS: Final[Mapping[str, frozenset[Level]]] = MappingProxyType(
    {
        NODE + "Submit": _MEMBER,
        NODE + "SubmitBatch": _MEMBER,
        NODE + "WaitReceipt": _MEMBER,
        NODE + "View": _MEMBER,
        NODE + "GetBlock": _MEMBER,
        NODE + "GetTransaction": _MEMBER,
        NODE + "GetState": _MEMBER,
        NODE + "GetStates": _MEMBER,
        NODE + "FollowEvents": _MEMBER,
        NODE + "GetStatus": _PUBLIC,  # to members with the node's inside
        NODE + "GetGenesis": _PUBLIC,
        NODE + "GetCommittees": _PUBLIC,
        NODE + "KeyHistory": _MEMBER,
        NODE + "AccountHistory": _SURVEY | _MEMBER,  # a member: its own account
        NODE + "SubjectHistory": _SURVEY,
        "/grpc.health.v1.Health/Check": _PUBLIC,
        "/grpc.health.v1.Health/Watch": _PUBLIC,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _PUBLIC,
    }
)
