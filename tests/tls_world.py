"""PEM files as the commands of docs/gateway.md write them: a CA, and who it certifies."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A CA with P-256, in a folder."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "ca.crt"

    def certify(self, name: str, *, days: int = 30, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Certificate and key of a server on `host`, or of a client; replaces those of `name`."""
        run(
            self.folder,
            f"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            f"-keyout {name}.key -out {name}.csr -subj /CN={name} "
            f"-addext subjectAltName=IP:{host}",
            f"openssl x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -days {days} "
            f"-copy_extensions copy -out {name}.crt",
        )
        (self.folder / f"{name}.key").chmod(0o600)
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"


def authority(folder: Path) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    run(
        folder,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-keyout ca.key -out ca.crt -subj /CN=test-ca -days 30",
    )
    return Authority(folder)


def run(folder: Path, *commands: str) -> None:
    for command in commands:
        subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True)
