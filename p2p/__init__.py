"""Authenticated framed streams between the nodes of one chain, over libp2p (TCP, yamux).

What it is: a table of peers that may talk to us, one link to each of them, and on every link
three streams (votes, transactions, blocks) that carry opaque frames in order. What it is not:
a gossip layer, a discovery service, or anything that knows a transaction from a vote. A frame
that cannot be sent now is dropped and counted; whoever needs it asks again.

Only the parts of py-libp2p that define the wire are used (multistream-select, the security
transport, yamux). Its Swarm and Host are left out on purpose: they answer identify and ping to
anybody, share the listening port (SO_REUSEPORT), keep failed peers in a 60 s cache, and leave a
task behind for every inbound connection. Accepting, dialing and their limits are ours
(docs/adr/0009).

Files in reading order:
  errors.py     what can go wrong, one type per cause
  address.py    multiaddrs of the one kind in use: host and TCP port
  identity.py   an Ed25519 seed and the peer id that follows from it
  limits.py     channels, and every limit of this package with its reason
  frames.py     length framing as pure functions of bytes
  queues.py     bounded queues: what waits for a writer, what waits for the node
  counters.py   what is counted, for metrics
  security.py   what the network asks of a security protocol
  tls/          the one that nodes speak: TLS 1.3 with SM2, SM3 and SM4, judged certificates
  connect.py    TCP connection -> judged, encrypted, multiplexed connection
  link.py       one live peer: three streams, their readers and writers, the heartbeat
  places.py     as what a stranger's address is counted
  listen.py     inbound connections and their caps
  network.py    the peer table, dialing, send and incoming: what the node uses
"""
