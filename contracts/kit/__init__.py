"""The test kit of contract authors: a chain for pytest, gas and coverage of contracts by line.

    pytest_plugins = ["contracts.kit.plugin"]  # in the conftest.py at the root of your tests

`gas` (amounts that know their lines), `marks` (a compiler that keeps lines), `trace` (watches
contract code run), `usage` (what was seen, added up), `chain` (the fixture), `report`, `plugin`.
`rules_page` writes docs/contract-rules.md out of `rule_examples`.
Nothing of this is in a node: it compiles sources anew, to other code objects of equal gas.
"""
