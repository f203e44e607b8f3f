"""The child process begins here: `python -m contracts.vm.start --engine NAME [...]`.

Figures of an earlier release are in the tables before anything of the machine is imported: some
of it reads them when it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from contracts.vm.engines import ENGINE_ARGUMENT, ENGINES


def main(arguments: Sequence[str]) -> int:
    """Become the worker. An unknown engine is refused by it, in the form the parent reads."""
    name = arguments[arguments.index(ENGINE_ARGUMENT) + 1]
    if name in ENGINES:
        ENGINES[name].install()
    from contracts.vm import worker

    return worker.main(arguments)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Straight out: interpreter shutdown would look for files that the jail hides.
    os._exit(code)
