"""The security protocol between nodes: TLS 1.3 with SM2, SM3 and SM4 (RFC 8998) inside libp2p.

Multistream name "/shuxin/tls-sm/1.0.0". Both sides show an SM2 certificate of role node, whose peer
id must be the one that was dialed and on the allow-list, whose organization must be the one that
the chain has for this peer, and which the chain does not know as revoked. Then both prove, bound to
this very session, that they hold the Ed25519 key that the peer id stands for. Who is let in hears
so last: before that, nothing of a stranger is read but TLS, and the 64 bytes of its proof.

Files in reading order:
  policy.py      who may be spoken to, as a pure judgement of certificates
  binding.py     the proof of the network key, bound to the session
  stream.py      a TLS session carried over a libp2p connection
  transport.py   libp2p's security transport made of the three: handshake, judgement, renewal
"""
