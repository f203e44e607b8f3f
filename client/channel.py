"""How a client reaches a node: in plain or over TLS.

host:port         plain gRPC; on one machine, or through somebody's own tunnel
tls://host:port   TLS with P-256 or RSA certificates, as the node's `[api]` may speak
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

PLAIN, TLS = "", "tls"
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
    """What a client believes and shows."""

    tls: TlsTrust | None = None


NO_SECURITY = Security()


def split_target(target: str) -> tuple[str, str]:
    """The kind of an address and its host:port. Raises ValueError."""
    scheme, mark, place = target.partition("://")
    if not mark:
        return PLAIN, target
    if scheme != TLS or not place.rpartition(":")[2].isdigit() or "/" in place:
        raise ValueError(f"{target} is no address of a node: write host:port or tls://host:port")
    return scheme, place


class Channel:
    """A gRPC channel and what lies under it. Thread safe; close it."""

    def __init__(self, target: str, security: Security, options: Options) -> None:
        """Connects when it is first used. Raises ValueError for what is no address or trust."""
        kind, place = split_target(target)
        self._kind = kind
        if kind == TLS:
            self.calls = grpc.secure_channel(place, _credentials(target, security), options=options)
        else:
            self.calls = grpc.insecure_channel(place, options=options)

    def close(self) -> None:
        """End all calls under way, also those of other threads."""
        self.calls.close()

    def why_away(self, said: str) -> str:
        """Why no connection comes about, where this end knows; empty if it does not.

        `said` is gRPC's own account of it.
        """
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
