"""Errors of the network layer: each names what was wrong and what to do next."""

from __future__ import annotations

from enum import StrEnum

from libp2p.security.exceptions import HandshakeFailure


class Refusal(StrEnum):
    """Why there is no connection, where neither a certificate (crypto.errors.Reason) nor TLS
    (crypto.smtls.TlsFault) is to blame: stable, for counters and programs."""

    ADDRESS = "address"  # it comes from outside the ranges that the configuration allows
    RATE = "rate"  # its address tries too often
    CROWDED = "crowded"  # it gave way to newer connections
    SLOW = "slow"  # the handshake was not done in time
    LEFT = "left"  # closed before the handshake was done
    UNREACHABLE = "unreachable"  # no TCP connection
    NEGOTIATION = "negotiation"  # it speaks no protocol of ours: Noise and plaintext come here
    STRANGER = "stranger"  # nobody knows this peer id
    UNPROVEN = "unproven"  # it does not hold the network key of its peer id
    DIRECTION = "direction"  # the lower peer id dials


class NetworkError(Exception):
    """Base of all errors of this package."""


class AddressInvalid(NetworkError):
    """A multiaddr, peer id or seed of the configuration cannot be used."""


class ListenFailed(NetworkError):
    """The listening socket could not be opened."""


class ConnectFailed(NetworkError):
    """No authenticated connection came of it; the message never repeats the other side's bytes."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class LinkLost(NetworkError):
    """A link ended for an honest reason: closed, silent, or the network failed."""


class LinkBroken(LinkLost):
    """The bytes of a link are not what its peer sealed; `fault`: a crypto.smtls.TlsFault."""

    def __init__(self, fault: str, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class PeerMisbehaved(NetworkError):
    """An authenticated peer sent what no honest node sends; the link to it is closed."""


class FrameInvalid(PeerMisbehaved):
    """A peer announced a frame that the channel does not allow."""


class PeerRefused(HandshakeFailure):
    """There is a reason to refuse the other side: of Refusal, Reason or TlsFault.

    One of libp2p's errors, because it travels through libp2p's code. The message goes to the log as
    it is: it must be ours, and quote no bytes that nobody vouched for.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
