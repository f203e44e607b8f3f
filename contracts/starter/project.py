"""The folder of a new contract."""

from __future__ import annotations

import keyword
import os
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template

from contracts.vm.code_records import RESERVED, is_contract_name

# Template -> file of the project.
FILES = {
    "contract.py.txt": "$module.py",
    "test_contract.py.txt": "test_$module.py",
    "conftest.py.txt": "conftest.py",
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
}
# A file of one of these names would stand before the module that tests and checks import.
_IMPORTED = sys.stdlib_module_names | {"client", "contracts", "crypto", "ledger", "pytest"}


class ProjectRefused(ValueError):
    """The project cannot be begun; nothing was written."""


def module_of(name: str) -> str:
    """The Python module that holds the contract `name`. Raises ProjectRefused."""
    if not is_contract_name(name) or name in RESERVED:
        taken = ", ".join(sorted(RESERVED))
        raise ProjectRefused(
            f"{name[:80]!r} is no name for a contract: take 1 to 64 of a-z 0-9 _ -, a letter "
            f"first, and none of {taken}"
        )
    module = name.replace("-", "_")
    is_test = module.startswith("test_") or module.endswith("_test") or module == "conftest"
    if is_test or module in _IMPORTED or keyword.iskeyword(module):
        raise ProjectRefused(f"{module}.py means something else to Python or pytest: rename it")
    return module


def render(name: str) -> dict[str, str]:
    """File name -> text. Raises ProjectRefused for a bad name."""
    given = {"name": name, "module": module_of(name)}
    folder = resources.files("contracts.starter.templates")
    return {
        Template(file).substitute(given): Template(
            folder.joinpath(template).read_text(encoding="ascii")
        ).substitute(given)
        for template, file in FILES.items()
    }


def begin(name: str, directory: Path) -> Sequence[Path]:
    """Writes the project into `directory`, which is made if need be; the paths of its files.

    Raises ProjectRefused for a bad name, and when one of the files exists. OSError otherwise.
    """
    texts = {directory / file: text for file, text in render(name).items()}
    present = [str(path) for path in texts if os.path.lexists(path)]
    if present:
        raise ProjectRefused(
            f"{', '.join(present)}: already there; name another folder with --directory"
        )
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with path.open("x", encoding="ascii", newline="\n") as handle:  # never over another file
            handle.write(text)
    return tuple(texts)
