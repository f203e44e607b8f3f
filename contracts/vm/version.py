"""The name of the engine and its rules: what the genesis says the chain runs on.

Gas, guards and bytecode depend on the compiler and on CPython's minor version; nodes that
differ in either could disagree about a block, so a node refuses a chain of another version.
"""

from __future__ import annotations

from typing import Final

VM_VERSION: Final = "shuxin-vm/1+cpython-3.11"
