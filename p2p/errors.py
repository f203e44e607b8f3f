"""Errors of the network layer: each names what was wrong and what to do next."""

from __future__ import annotations


class NetworkError(Exception):
    """Base of all errors of this package."""


class AddressInvalid(NetworkError):
    """A multiaddr, peer id or seed of the configuration cannot be used."""


class ListenFailed(NetworkError):
    """The listening socket could not be opened."""


class FrameInvalid(NetworkError):
    """A peer announced a frame that the channel does not allow."""

    def __init__(self, message: str, *, announced: int, size_max: int) -> None:
        super().__init__(message)
        self.announced = announced
        self.size_max = size_max


class PeerRefused(NetworkError):
    """The other side proved an identity that is not on the allow-list, or none at all."""


class LinkLost(NetworkError):
    """A link ended; the message says why, for the log. Reconnection is automatic."""
