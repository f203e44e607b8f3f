"""The gRPC interface for clients, on gRPC's own threads beside the trio loop.

backend   what the services need from the node
arrivals  ends calls whose request does not come
access    who calls, judged before a byte of a request is parsed
levels    who may call which method
standing  who has which level, by the chain
policy    who of them may not at this node
nonces    headers that were used up
quotas    how much one caller may ask
porter    lets calls in as far as quotas reach, and has each put on record
guard     one wrapper around every method: errors become codes, never tracebacks
service   the methods
states    many values with one proof
history   those of them that tell what was
tls       the server's certificate, read anew when it is renewed
server    the server with its limits, health and reflection
"""
