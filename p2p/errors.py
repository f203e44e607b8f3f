"""Errors of the network layer: each names what was wrong and what to do next."""

from __future__ import annotations


class NetworkError(Exception):
    """Base of all errors of this package."""


class AddressInvalid(NetworkError):
    """A multiaddr, peer id or seed of the configuration cannot be used."""


class ListenFailed(NetworkError):
    """The listening socket could not be opened."""


class ConnectFailed(NetworkError):
    """No authenticated connection came of it; the message never repeats the other side's bytes."""


class LinkLost(NetworkError):
    """A link ended for an honest reason: closed, silent, or the network failed."""


class PeerMisbehaved(NetworkError):
    """An authenticated peer sent what no honest node sends; the link to it is closed."""


class FrameInvalid(PeerMisbehaved):
    """A peer announced a frame that the channel does not allow."""
