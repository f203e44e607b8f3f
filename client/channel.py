"""How a client reaches a node: in plain, over TLS, or over TLS with national algorithms.

host:port         plain gRPC; on one machine, or through somebody's own tunnel
tls://host:port   TLS with P-256 or RSA certificates, as the node's `[api]` may speak
sm://host:port    TLS 1.3 with SM2, SM3 and SM4 to a `shuxin gateway` in front of the node
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from client.sm.trust import SmTrust
    from client.sm.tunnel import Tunnel

PLAIN, TLS, SM = "", "tls", "sm"
# What gRPC's account of a failure has in it when TLS is the reason.
_TLS_WORDS = ("handshake", "certificate", "hostname", "peer name", "ssl")

Options = Sequence[tuple[str, int | str]]


@dataclass(frozen=True, slots=True)
class TlsTrust:
    """For tls://. PEM: whose certificates of nodes to believe, and what to show where one asks."""

    ca: bytes
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Security:
    """What a client believes and shows; one entry for each kind of address."""

    tls: TlsTrust | None = None
    sm: SmTrust | None = None


NO_SECURITY = Security()


def split_target(target: str) -> tuple[str, str]:
    """The kind of an address and its host:port. Raises ValueError."""
    scheme, mark, place = target.partition("://")
    if not mark:
        return PLAIN, target
    if scheme not in (TLS, SM) or not place.rpartition(":")[2].isdigit() or "/" in place:
        raise ValueError(
            f"{target} is no address of a node: write host:port, tls://host:port or sm://host:port"
        )
    return scheme, place


class Channel:
    """A gRPC channel and what lies under it. Thread safe; close it."""

    def __init__(self, target: str, security: Security, options: Options) -> None:
        """Connects when it is first used. Raises ValueError for what is no address or trust."""
        kind, place = split_target(target)
        self._kind = kind
        self._tunnel: Tunnel | None = None
        if kind == TLS:
            self.calls = grpc.secure_channel(place, _credentials(target, security), options=options)
        elif kind == SM:
            self._tunnel = _open_tunnel(target, place, security)
            self.calls = grpc.insecure_channel(self._tunnel.address, options=options)
        else:
            self.calls = grpc.insecure_channel(place, options=options)

    def close(self) -> None:
        """End all calls under way, also those of other threads."""
        self.calls.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def why_away(self, said: str) -> str:
        """Why no connection comes about, where this end knows; empty if it does not.

        `said` is gRPC's own account of it.
        """
        if self._tunnel is not None:
            return self._tunnel.refusal
        if self._kind == TLS and any(word in said.lower() for word in _TLS_WORDS):
            return (
                "the TLS handshake failed: compare --tls-ca with the CA of the node, the host name "
                "with its certificate, and whether it asks for one of yours"
            )
        return ""


def _credentials(target: str, security: Security) -> grpc.ChannelCredentials:
    trust = security.tls
    if trust is None:
        raise ValueError(
            f"{target} needs a CA to believe: name its PEM file with --tls-ca, or as tls_ca in "
            "client.toml"
        )
    return grpc.ssl_channel_credentials(trust.ca, trust.key or None, trust.certificate or None)


def _open_tunnel(target: str, place: str, security: Security) -> Tunnel:
    if security.sm is None:
        raise ValueError(
            f"{target} needs a root to believe: name the root certificate of the gateway's "
            "organization with --tls-ca, or as tls_ca in client.toml"
        )
    from client.sm.tunnel import Tunnel

    return Tunnel(place, security.sm)
