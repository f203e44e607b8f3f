"""Generated protobuf code of the node's client interface; written by `make proto`, never by hand.

Not a place for logic: `node.wire`, `node.api` and `client` turn these messages into domain types, and
nobody else imports them.
"""
