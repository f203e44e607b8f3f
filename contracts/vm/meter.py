"""The gas meter: what is left, and running out."""

from __future__ import annotations

from contracts.vm.codes import OutOfGas


class Meter:
    """Counts gas down. Reset per transaction."""

    __slots__ = ("left",)

    def __init__(self, limit: int = 0) -> None:
        self.left = limit

    def charge(self, gas: int) -> None:
        """Take `gas`. Raises OutOfGas when it is not there; nothing is given back."""
        self.left -= gas
        if self.left < 0:
            raise OutOfGas

    def flush(self, gas: int) -> int:
        """Take what a local counter gathered; returns its new value, 0."""
        self.left -= gas
        if self.left < 0:
            raise OutOfGas
        return 0
