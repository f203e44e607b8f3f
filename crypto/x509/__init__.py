"""SM2 certificates (X.509, RFC 5280, algorithms of GM/T 0015): of organizations and of who acts for
them. What a *certificate* of votes is, ledger.certificates says; these are other ones.

Files in reading order:
    profile     what our certificates say, in which fields, and how long
    encode      DER of names, times and extensions
    make        roots, leaves, requests, revocation lists: built here, signed by a provider
    read        strict reading of all of them into values
    verify      whether to believe a certificate: chain, time, revocation, role, name
"""
