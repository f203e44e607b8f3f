"""An executor's configuration: generated with comments, read strictly, line numbers in errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.security import SETTINGS
from client.toml import TomlInvalid, parse_toml
from executors.errors import ConfigInvalid

CONFIG_SIZE_MAX = 64 << 10  # bytes
LIST_MAX = 64  # nodes: what a cluster takes
LOG_LEVELS = ("debug", "info", "warning", "error")
ALGORITHMS = ("statistics/1",)

_NAME = r"[a-z0-9][a-z0-9_.-]{0,63}"
_ADDRESS = r"(?:(?:tls|sm)://)?(?:[^\s:/]+|\[[0-9a-f:]+\]):[0-9]{1,5}"
_HOST = r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}|[0-9a-f:]{2,39}"


@dataclass(frozen=True, slots=True)
class ExecutorConfig:
    """Paths are absolute; `home` is the folder of the file. Seconds and MiB where named so."""

    home: Path
    party: str
    algorithms: tuple[str, ...]
    nodes: tuple[str, ...]  # the first is asked, the others when it is away
    key: Path
    passphrase_file: Path | None
    tls_files: Mapping[str, Path]  # of client.security.SETTINGS, those that are named
    listen_host: str
    advertise_host: str
    port_low: int
    port_high: int
    tasks_max: int
    run_s: int
    connect_s: int
    silence_s: int
    memory_mib: int
    log_level: str


TEMPLATE = """\
# Configuration of a Shuxin executor (数信执行器配置). Generated; edit and restart the executor.
# Paths are relative to this file; its folder is the executor's home and holds the data sets.

[executor]
# The party whose data this executor works with, as registered on chain.
party = "{party}"
# Algorithms this executor takes part in. Others are refused, with the reason on chain.
algorithms = ["statistics/1"]

[chain]
# A node of your own, or one you trust to show you the chain as it is: host:port of its gRPC.
# A list of such nodes makes the executor go on at the next when the first is away; a node that
# lies about a grant makes it compute: do not list nodes of other parties without need.
node = "{node}"
# The account that accepts and reports: encrypted SM2 key, and a file (0600) with its passphrase.
# Without that line SHUXIN_PASSPHRASE is read, or the agent is asked (shuxin key agent).
key = "{key}"
passphrase_file = "{passphrase_file}"
# For nodes at tls://host:port, or sm://host:port with national algorithms: PEM files with the CA,
# or the roots, that are believed there, and what is shown where one asks (docs/gateway.md).
# tls_ca = "tls/ca.crt"
# tls_crl = "tls/ca.crl"
# tls_certificate = "tls/executor.crt"
# tls_key = "tls/executor.pem"

[network]
# Where engines listen for the other participants, and the name under which those reach it.
listen_host = "127.0.0.1"
advertise_host = "127.0.0.1"
# One port per task that is accepted or running. Keep them out of the system's own range
# (/proc/sys/net/ipv4/ip_local_port_range) and open in the firewall.
port_low = 24000
port_high = 24999

[limits]
# Tasks computing at one time; more wait their turn. Each takes about one core and 1 GB.
tasks_max = 2
# Seconds: a whole computation; waiting for the other parties; a peer that says nothing.
run_s = 900
connect_s = 180
silence_s = 60
# Memory of one engine process.
memory_mib = 6144

[log]
# debug | info | warning | error
level = "info"
"""


def render_config(
    *, party: str, node: str, key: str, passphrase_file: str = "keys/passphrase"
) -> str:
    """The commented TOML for one executor."""
    return TEMPLATE.format(party=party, node=node, key=key, passphrase_file=passphrase_file)


def load_config(path: Path) -> ExecutorConfig:
    """Read and validate a configuration. Raises ConfigInvalid."""
    reader = _read(path)
    low = reader.number("network", "port_low", 1024, 65535)
    config = ExecutorConfig(
        home=path.resolve().parent,
        party=reader.text("executor", "party", _NAME),
        algorithms=reader.choices("executor", "algorithms", ALGORITHMS),
        nodes=reader.texts("chain", "node", _ADDRESS),
        key=reader.path("chain", "key"),
        passphrase_file=reader.optional_path("chain", "passphrase_file"),
        tls_files=_tls_files(reader),
        listen_host=reader.text("network", "listen_host", _HOST),
        advertise_host=reader.text("network", "advertise_host", _HOST),
        port_low=low,
        port_high=reader.number("network", "port_high", low, 65535),
        tasks_max=reader.number("limits", "tasks_max", 1, 64),
        run_s=reader.number("limits", "run_s", 10, 86_400),
        connect_s=reader.number("limits", "connect_s", 5, 86_400),
        silence_s=reader.number("limits", "silence_s", 5, 3_600),
        memory_mib=reader.number("limits", "memory_mib", 1_024, 1 << 20),
        log_level=reader.choice("log", "level", LOG_LEVELS),
    )
    reader.refuse_unknown()
    return config


def _tls_files(reader: _Reader) -> dict[str, Path]:
    named = {name: reader.optional_path("chain", name) for name in SETTINGS}
    return {name: path for name, path in named.items() if path is not None}


def _read(path: Path) -> _Reader:
    try:
        with path.open("rb") as handle:
            data = handle.read(CONFIG_SIZE_MAX + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {error.strerror}", path=str(path), line=0) from None
    except UnicodeDecodeError:
        raise ConfigInvalid("is not UTF-8", path=str(path), line=0) from None
    if len(data) > CONFIG_SIZE_MAX:
        raise ConfigInvalid(f"exceeds {CONFIG_SIZE_MAX} bytes", path=str(path), line=0)
    try:
        tables = parse_toml(text)
    except TomlInvalid as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else 0
        raise ConfigInvalid(str(error), path=str(path), line=line) from None
    return _Reader(path.resolve(), text, tables)


class _Reader:
    """Takes typed entries out of parsed TOML and knows on which line each stands."""

    def __init__(self, path: Path, text: str, tables: Mapping[str, object]) -> None:
        self._path = path
        self._tables = tables
        self._lines = _key_lines(text)
        self._taken: set[tuple[str, str]] = set()

    def text(self, table: str, key: str, pattern: str) -> str:
        value = self._take(table, key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise self._wrong(table, key, f"must be text of the form {pattern}")
        return value

    def texts(self, table: str, key: str, pattern: str) -> tuple[str, ...]:
        """One text or a list of them."""
        value = self._take(table, key)
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not 0 < len(listed) <= LIST_MAX:
            raise self._wrong(table, key, f"must be text, or a list of 1 to {LIST_MAX} texts")
        if any(
            not isinstance(item, str) or not re.fullmatch(pattern, item, re.ASCII)
            for item in listed
        ):
            raise self._wrong(table, key, f"must be text of the form {pattern}, or a list of such")
        return tuple(dict.fromkeys(listed))

    def choice(self, table: str, key: str, allowed: tuple[str, ...]) -> str:
        value = self._take(table, key)
        if not isinstance(value, str) or value not in allowed:
            raise self._wrong(table, key, f"must be one of {', '.join(allowed)}")
        return value

    def choices(self, table: str, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        value = self._take(table, key)
        if not isinstance(value, list) or not value or any(item not in allowed for item in value):
            raise self._wrong(table, key, f"must list some of {', '.join(allowed)}")
        return tuple(dict.fromkeys(str(item) for item in value))

    def number(self, table: str, key: str, low: int, high: int) -> int:
        value = self._take(table, key)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(table, key, f"must be a whole number from {low} to {high}")
        return value

    def path(self, table: str, key: str) -> Path:
        value = self._take(table, key)
        if not isinstance(value, str) or not value or "\0" in value:
            raise self._wrong(table, key, "must be the path of a file")
        return self._path.parent / value

    def optional_path(self, table: str, key: str) -> Path | None:
        entries = self._tables.get(table)
        return self.path(table, key) if isinstance(entries, dict) and key in entries else None

    def refuse_unknown(self) -> None:
        for table, entries in self._tables.items():
            if not isinstance(entries, dict):
                raise self._wrong("", table, "is an unknown entry; remove it")
            for key in entries:
                if (table, key) not in self._taken:
                    raise self._wrong(
                        table, key, "is an unknown entry; remove it or check its spelling"
                    )

    def _take(self, table: str, key: str) -> object:
        self._taken.add((table, key))
        entries = self._tables.get(table, {})
        if not isinstance(entries, dict) or key not in entries:
            line = self._lines.get((table, ""), 0)
            message = f"[{table}] lacks {key}; add it"
            raise ConfigInvalid(message, path=str(self._path), line=line)
        value: object = entries[key]
        return value

    def _wrong(self, table: str, key: str, message: str) -> ConfigInvalid:
        line = self._lines.get((table, key), self._lines.get((table, ""), 0))
        return ConfigInvalid(f"{key} {message}", path=str(self._path), line=line)


def _key_lines(text: str) -> dict[tuple[str, str], int]:
    """(table, key) -> line number; (table, "") is the line of the table's header."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = header.group(1)
            lines.setdefault((table, ""), number)
        elif entry := re.match(r"\s*\"?([A-Za-z0-9_.-]+)\"?\s*=", line):
            lines.setdefault((table, entry.group(1)), number)
    return lines
