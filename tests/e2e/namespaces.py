"""A network namespace for every node, joined by a bridge: links that a test can cut.

Needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN) and the kernel's veth and bridge. A cut loses packets
without a word, like a dead cable, and needs no packet filter: the one who is cut off gets a
neighbor entry with a hardware address that nobody has.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Sequence
from types import TracebackType

import psutil

COMMAND_S = 10.0
NOBODY = "02:00:00:00:00:01"  # locally administered; no interface of ours has it
PREFIX = "sx"
HOST_PART = 254  # the bridge's own address: from there clients reach every node


class NotAllowed(Exception):
    """This machine lets us make no namespaces; says what failed."""


class Isolation:
    """`size` namespaces in a subnet of their own. Close it, or use it as a context manager."""

    def __init__(self, size: int) -> None:
        """Raises NotAllowed."""
        _sweep()
        # Interface names have at most 15 bytes; the process id tells later runs what is stale.
        self._mark = f"{PREFIX}{os.getpid()}{secrets.token_hex(1)}"
        self._subnet = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
        self._size = size
        try:
            self._build()
        except NotAllowed:
            self.close()
            raise

    def __enter__(self) -> Isolation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def address(self, index: int) -> str:
        return f"{self._subnet}.{index + 1}"

    def inside(self, index: int) -> tuple[str, ...]:
        """What to write before a command so that it runs in the namespace of node `index`."""
        return ("ip", "netns", "exec", self._namespace(index))

    def cut(self, group: Sequence[int]) -> None:
        """No packet passes any more between `group` and the others, in either direction."""
        for one, other in self._pairs(group):
            _ip(
                "-n", self._namespace(one), "neigh", "replace", self.address(other),
                "lladdr", NOBODY, "dev", "eth0", "nud", "permanent",
            )  # fmt: skip

    def heal(self, group: Sequence[int]) -> None:
        for one, other in self._pairs(group):
            _ip("-n", self._namespace(one), "neigh", "del", self.address(other), "dev", "eth0")

    def close(self) -> None:
        """Take all of it away; what is not there is no error."""
        for index in range(self._size):
            _try("ip", "netns", "del", self._namespace(index))
        _try("ip", "link", "del", self._bridge)

    @property
    def _bridge(self) -> str:
        return f"{self._mark}b"

    def _namespace(self, index: int) -> str:
        return f"{self._mark}n{index}"

    def _build(self) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self._subnet}.{HOST_PART}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for index in range(self._size):
            namespace, cable = self._namespace(index), f"{self._mark}v{index}"
            _ip("netns", "add", namespace)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            _ip("link", "set", cable, "master", self._bridge, "up")
            _ip("-n", namespace, "addr", "add", f"{self.address(index)}/24", "dev", "eth0")
            _ip("-n", namespace, "link", "set", "eth0", "up")
            _ip("-n", namespace, "link", "set", "lo", "up")

    def _pairs(self, group: Sequence[int]) -> list[tuple[int, int]]:
        """Both directions of every link between `group` and the rest."""
        rest = [index for index in range(self._size) if index not in group]
        cut = [(one, other) for one in group for other in rest]
        return [*cut, *((other, one) for one, other in cut)]


def _ip(*arguments: str) -> None:
    try:
        done = _run("ip", *arguments)
    except OSError as error:
        raise NotAllowed(f"no network namespaces: {error}; install iproute2") from None
    if done.returncode != 0:
        raise NotAllowed(
            f"no network namespaces: `ip {' '.join(arguments)}` said "
            f"{done.stderr.strip()!r}; run as root, with veth and bridge in the kernel"
        )


def _try(*command: str) -> None:
    try:
        _run(*command)
    except OSError:
        return  # without the command there is nothing to take away


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)


def _sweep() -> None:
    """Take away what runs that were killed left behind; those that live keep theirs."""
    for kind, remove in (("netns", ("netns", "del")), ("link", ("link", "del"))):
        try:
            listed = _run("ip", *(("netns", "list") if kind == "netns" else ("-o", "link")))
        except OSError:
            return
        for name, pid in re.findall(rf"\b({PREFIX}(\d+)[0-9a-f]{{2}}[nbv]\d*)\b", listed.stdout):
            if not psutil.pid_exists(int(pid)):
                _try("ip", *remove, name)
