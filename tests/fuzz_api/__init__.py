"""Schema fuzzing of the client interface: every method, drawn from the descriptors, at a real node.

In reading order: `corpus` (what is true on the chain), `letters` (what the fields of bytes hold),
`messages` (messages of any descriptor), `wire` (their bytes, damaged), `calls` (one call), `raw`
(bytes that are no gRPC), `verdict` (what no answer may be), `target` (the node under test),
`campaign` (many calls from many threads). `python -m tests.fuzz_api` runs it all.
"""
