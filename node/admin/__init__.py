"""Orders to a running node from who runs it: a socket in its data folder, level `admin` (8.1.7).

form     orders and replies as bytes
door     the node's side: who may speak, within which bounds, and that it is on record
orders   what a node does when it is told
ask      the command line's side

It is not part of the client interface: no header, certificate or chain gives this level, and no
gateway leads here (ADR 34).
"""
