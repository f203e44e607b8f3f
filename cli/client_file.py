"""client.toml of a home (客户端缺省设置): what commands use unless they are told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.output import CommandRefused
from client.toml import TomlInvalid, parse_toml

CLIENT_FILE = "client.toml"


@dataclass(frozen=True, slots=True)
class ClientFile:
    """The settings of a home; where there is no file, there are none. Raises CommandRefused."""

    home: Path

    def texts(self, name: str) -> Sequence[str]:
        """A setting that is a text or a list of texts; empty where it is missing."""
        value = self.all().get(name, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or any(not isinstance(item, str) for item in listed):
            raise self._wrong(f"{name} must be a text in quotes or a list of them")
        return listed

    def text(self, name: str) -> str:
        """A setting; "" where it is missing."""
        value = self.all().get(name, "")
        if not isinstance(value, str):
            raise self._wrong(f"{name} must be text in quotes")
        return value

    def all(self) -> Mapping[str, object]:
        """What the file says, by name."""
        try:
            return parse_toml((self.home / CLIENT_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (TomlInvalid, UnicodeDecodeError) as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, message: str) -> CommandRefused:
        return CommandRefused("client.config", f"{self.home / CLIENT_FILE}: {message}")


def render_client_config(
    *, nodes: Sequence[str], key: str, passphrase_file: str, genesis: str
) -> str:
    """The commented client.toml of a home, for what creates one."""
    listed = "".join(f'    "{node}",\n' for node in nodes)
    return (
        "# What `shuxin --home THIS_FOLDER ...` uses unless told otherwise (客户端缺省设置).\n"
        "# Options on the command line and SHUXIN_NODE, SHUXIN_KEY, SHUXIN_PASSPHRASE_FILE win.\n"
        "# Nodes of one chain; the first is asked, the others when it is away. What they prove is\n"
        "# verified; views have no proof: name only nodes that you trust.\n"
        f"node = [\n{listed}]\n"
        "# A path relative to this folder, or NAME for keys/NAME.pem.\n"
        f'key = "{key}"\n'
        f'passphrase_file = "{passphrase_file}"\n'
        "# The genesis to trust (创世文件): what nodes say is checked against it.\n"
        f'genesis = "{genesis}"\n'
    )
