"""The `shuxin` command: one file per noun, verbs inside; `shuxin NOUN VERB`.

Not a place for rules of the chain: a command reads its arguments, asks a node through `client`, and
prints. What may be done is decided by contracts and nodes.

Reading order: `main` (nouns and how they are loaded), `options` (what every command takes),
`client_file` (what it takes from its home), `output` (tables, JSON, progress, exit codes),
`domain` (what the nouns that are system contracts share), `literals` (contract values as text),
then one file per noun.
"""
