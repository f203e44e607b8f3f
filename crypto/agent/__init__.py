"""The passphrase agent: keeps passphrases of key files in locked memory, for a while, for one user.

It does not sign, and holds no keys: those are opened where they are used. What it is given never
touches a disk, and it gives it to processes of its own user only, who could read the key files
and a passphrase file as well; the gain is that there is no such file, and that the time is bounded.

    wire     requests and answers as bytes
    vault    memory that is neither swapped nor dumped, in slots that are wiped
    serve    the process that keeps them, behind a Unix socket
    ask      how others ask it; they check that it is of their own user, too
"""
