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
    ADMIN = "admin"  # is on this machine, as the node's own user or as root


_PUBLIC = frozenset({Level.PUBLIC})
NODE = "/shuxin.v1.Node/"

LEVELS: Final[Mapping[str, frozenset[Level]]] = MappingProxyType(
    {
        NODE + "Submit": _PUBLIC,
        NODE + "SubmitBatch": _PUBLIC,
        NODE + "WaitReceipt": _PUBLIC,
        NODE + "View": _PUBLIC,
        NODE + "GetBlock": _PUBLIC,
        NODE + "GetTransaction": _PUBLIC,
        NODE + "GetState": _PUBLIC,
        NODE + "GetStates": _PUBLIC,
        NODE + "FollowEvents": _PUBLIC,
        NODE + "GetStatus": _PUBLIC,
        NODE + "GetGenesis": _PUBLIC,
        NODE + "GetCommittees": _PUBLIC,
        NODE + "KeyHistory": _PUBLIC,
        NODE + "AccountHistory": _PUBLIC,
        NODE + "SubjectHistory": _PUBLIC,
        "/grpc.health.v1.Health/Check": _PUBLIC,
        "/grpc.health.v1.Health/List": _PUBLIC,
        "/grpc.health.v1.Health/Watch": _PUBLIC,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _PUBLIC,
    }
)
