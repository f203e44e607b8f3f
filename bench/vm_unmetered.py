"""The same guarded code without its gas: what the metering itself costs."""

from __future__ import annotations

import ast
from typing import Any
from unittest import mock

from bench.vm_rig import source_of
from contracts.vm import emit, statements
from contracts.vm.apply import Machine
from contracts.vm.compile import compile_source
from contracts.vm.instance import bind


def unmetered(machine: Machine) -> dict[str, Any]:
    """Functions of the workload contract by emitted name, compiled with no charge and no flush."""
    with (
        mock.patch.object(statements, "paced", lambda body, node, iterator, loop: loop),
        mock.patch.object(emit, "charge", lambda amount: []),
        mock.patch.object(emit, "flush", ast.Pass),
        mock.patch.object(emit, "flush_if_over", lambda limit: ast.Pass()),
    ):
        compiled = compile_source(source_of("workloads"))
    return bind(compiled, "work", machine).scope
