"""TLS with national algorithms (RFC 8998) around gRPC, whose own TLS has none.

A gateway stands in front of a node and takes the TLS off; a client has a tunnel in its own process
that puts it on. Between them nothing but sealed records; neither end looks into the calls.

    trust   whom a client believes, and what it shows
    stream  a session of crypto.smtls over a socket
    relay   bytes of one connection in both directions, with time-outs; both ends use it
    tunnel  the client's end
"""
