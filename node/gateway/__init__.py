"""The gateway (国密网关): TLS with national algorithms in front of a node's client interface.

A process of its own beside the node: bytes in, bytes out. It knows no call and holds no key of the
node; it takes TLS 1.3 with SM2, SM3 and SM4 (RFC 8998) off and bounds who connects. Who may call
what, the node decides by what clients sign (ADR 35).

    config      gateway.toml and what it means
    credentials certificate, key, roots and revocation lists, read anew when the files change
    chain       who is revoked on the chain, asked of the node
    doorkeeper  who may connect, before any cryptography: caps and rates by address
    tally       what it counts, and how it shows that
    gateway     the connections
    serve       the daemon's life
"""
