"""The contract machine: checks, compiles and runs contracts, deterministic, metered, jailed.

It is no general sandbox for Python: it accepts a typed subset (contracts/dialect/GUIDE.md) and
rewrites it. It knows no network, no disk and no key; state comes in by key and leaves as writes.

Language, in reading order: limits, rules, features (what which language has), source (text to
bounded tree), types, declare (module level), body (scope and gas of one function), expressions,
operators, widths (ints that need no check), calls, methods, comprehensions, storage_ops, pace
(loops that pay ahead), statements, compile, verify (bytecode), style (warnings), check, abi.
Execution: version, engines (which names this release runs), engine_schedule (at which heights),
codes, prices, meter, values (borders), guards, ranges (of keys), state, keys (of storage),
storage_guards, standing (ctx.party), instance, prefetch, joint (accounts of several keys), apply.
The native contract: lifecycle, code_records, code_steps, layout, policy, policy_calls, approvals,
engine_calls.
Isolation: jail, frames, start and worker (the child), host (the parent).
For tests: testing, and all of contracts.kit.
"""
