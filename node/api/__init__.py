"""The gRPC interface for clients, on gRPC's own threads beside the trio loop.

backend   what the services need from the node
guard     one wrapper around every method: errors become codes, never tracebacks
service   the methods
history   those of them that tell what was
tls       the server's certificate, read anew when it is renewed
server    the server with its limits, health and reflection
"""
