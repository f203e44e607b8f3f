"""The commented configuration that a new node gets."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.versions import PROVABLE_HEIGHTS_MAX, VERSIONS_MIN
from node.accesslog.keeper import KEEP_DEFAULT
from node.api.quotas import RATES_DEFAULT
from node.config import (
    BEHIND_MAX_DEFAULT,
    MEMPOOL_BYTES_DEFAULT,
    MEMPOOL_TRANSACTIONS_DEFAULT,
    SCRUB_HOURS_DEFAULT,
    SNAPSHOTS_EVERY_DEFAULT,
    SYNC_MODES,
)

TEMPLATE = """\
# Configuration of a Shuxin node (数信节点配置). Generated; edit and restart the node.
# Paths are relative to this file. Consensus settings are not here: they live on chain.

[node]
# The name under which the committee lists this node (genesis.json, validators).
name = "{name}"
# Where the ledger and the consensus journal lie. Put it on a disk of its own if you can.
data_dir = "data"
# The genesis all nodes share; its SM3 is the chain id.
genesis = "{genesis}"

[keys]
# SM2 key that signs votes (encrypted PKCS#8) and the Ed25519 key of the network identity.
consensus_key = "keys/consensus.pem"
# Or the SM2 key is in a cryptographic device (密码机) and never leaves it: instead of consensus_key
# the vendor's library of GM/T 0018 (SDF), the number of the key in the device, and a file (mode
# 0600) with the password of that key, or none and SHUXIN_DEVICE_PASSWORD (docs/operations.md).
# device_library = "/usr/lib/libsdf.so"
# device_key_index = 1
# device_password_file = "keys/device-password"
network_key = "keys/network.pem"
# SM2 key of the links to other nodes (TLS), always a file, and the certificate (证书) that the
# organization gave to it: role node, with the peer id of network_key (docs/certificates.md). A
# renewed one, for the same key, is put in its place; the node takes it up while it runs.
tls_key = "keys/tls.pem"
certificate = "keys/node.crt"
# File with the passphrase of the key files (mode 0600). Without it, SHUXIN_PASSPHRASE is read, or
# the agent is asked (shuxin key agent).
passphrase_file = "keys/passphrase"

[network]
# Where other nodes reach this one.
listen = "{listen}"
# Where connections may come from; without this everywhere. Who connects proves in any case that it
# is a node of the chain: this keeps strangers from even trying.
# allow = ["10.0.0.0/8"]
# Roots of organizations (PEM) that entered after the genesis: a new node knows only those of the
# genesis, and could not believe nodes that are certified by a younger one. Each counts until the
# ledger has come to the block that admitted it; from then on the chain has the say.
# roots = ["roots/health-2.crt"]

[network.peers]
# validator name = multiaddress; every other member of the committee.
{peers}

[api]
# gRPC for clients. In plain on loopback only; clients elsewhere need TLS, here or, with national
# algorithms, in a gateway in front (shuxin gateway, docs/gateway.md).
listen = "{api}"
# PEM files of P-256 or RSA; the key without passphrase, mode 0600. New files serve the next
# connection. With tls_client_ca only clients with a certificate of that CA are taken.
# tls_certificate = "tls/server.crt"
# tls_key = "tls/server.key"
# tls_client_ca = "tls/clients-ca.crt"
# Beyond loopback without TLS: what is asked and answered can be read, and answers altered.
# plain = true
# Threads that answer calls; each event subscriber and each waiting call holds one.
threads = 24
subscribers_max = 64

[mempool]
# Transactions waiting for a block. Beyond these bounds clients are told to come back.
transactions_max = {transactions_max}
bytes_max = {bytes_max}
# Threads that verify signatures; more than the machine's cores do not help.
verify_threads = 1

[ledger]
# So many of the newest heights, up to {provable_max}, have a state that clients can have proved.
# Each costs up to 1 MB of memory after a full block, next to nothing after an empty one, and what
# it alone still needs stays on disk. They are counted anew from each start.
provable_heights = {provable_heights}
# How much of the chain stays in the ledger: blocks, days, or whichever of both is more. 0 sets no
# bound; with none all stays for ever. What tells repeated transactions always stays.
keep_blocks = 0
keep_days = 0
# Hours from one check of everything that is stored (巡检) to the next; 0: never.
scrub_hours = {scrub_hours}
# When it is damaged (修复): "auto" builds it anew from what can be proved of it and from peers, and
# keeps the damaged one aside; "halt" leaves all as it is, and the node stops or does not start.
repair = "auto"

[sync]
# How a node without a ledger begins. "blocks" (区块同步): from the genesis, executing every block
# again, believing nobody. "snapshot" (状态同步): from the state after a recent block, which a
# quorum certified, and the blocks after it; also when this node is so far behind that peers no
# longer keep the blocks it needs. See docs/snapshots.md.
mode = "{sync_mode}"
# A snapshot that is more blocks than this behind the chain is refused.
behind_max = {behind_max}

[snapshots]
# Make a snapshot of every block whose height is a multiple of this, for nodes that join, and keep
# the newest two; each takes as much disk as the state. 0 makes none. All nodes should have the
# same number.
every_blocks = {snapshots_every}

[contracts]
# Contract code runs in a jailed process. true starts the node where the jail is unavailable;
# contracts can then reach whatever the node's user can. Never in production.
allow_unjailed = false

[metrics]
# Figures for Prometheus (http://HOST:PORT/metrics), to anyone who can connect: keep it on loopback,
# or where only your monitoring reaches it. Without the line there are none.
# listen = "127.0.0.1:9464"

# Who may less here than by the chain (docs/operations.md, Access): accounts that are strangers to
# this node, and methods that are left to some of their levels, none for an empty list.
# [access]
# deny = ["40 hex digits of an address"]
# [access.methods]
# GetState = ["auditor", "operator"]

[quotas]
# What one caller may ask, in units a second: a look at memory costs one, reading the disk or the VM
# more. One account; one host without a member's signature; all without one; everybody together.
caller = {rate_caller}
host = {rate_host}
anonymous = {rate_anonymous}
total = {rate_total}

[access_log]
# Who asked this node what (访问日志), in data/access; the heads of its files go on chain each hour.
# Files leave after so many days, the oldest sooner if there are more bytes.
keep_days = {access_days}
bytes_max = {access_bytes}

[history]
# Every value of a key, every transaction of an account, every event about a subject (历史记录), for
# clients that ask (shuxin history). In data/history, made from the ledger; to be deleted at will.
enabled = true
# The newest so many blocks; 0: all.
keep_blocks = 0

[archive]
# Where blocks go that leave the ledger: signed archives of 1,000 blocks each, in a folder of this
# node alone that you have made, on another disk if you like (docs/operations.md, Growth).
# directory = "archive"
# Or nowhere: they are lost with this node, and only other nodes or auditors have them.
# discard = true

[log]
# debug | info | warning | error
level = "info"
"""


def render_config(
    *, name: str, genesis: str, listen: str, api: str, peers: Mapping[str, str]
) -> str:
    """The commented TOML for one node."""
    return TEMPLATE.format(
        name=name,
        genesis=genesis,
        listen=listen,
        api=api,
        peers="\n".join(f'{peer} = "{address}"' for peer, address in sorted(peers.items())),
        transactions_max=MEMPOOL_TRANSACTIONS_DEFAULT,
        bytes_max=MEMPOOL_BYTES_DEFAULT,
        provable_heights=VERSIONS_MIN,
        provable_max=PROVABLE_HEIGHTS_MAX,
        scrub_hours=SCRUB_HOURS_DEFAULT,
        sync_mode=SYNC_MODES[0],
        behind_max=BEHIND_MAX_DEFAULT,
        snapshots_every=SNAPSHOTS_EVERY_DEFAULT,
        rate_caller=RATES_DEFAULT.caller,
        rate_host=RATES_DEFAULT.host,
        rate_anonymous=RATES_DEFAULT.anonymous,
        rate_total=RATES_DEFAULT.total,
        access_days=KEEP_DEFAULT.days,
        access_bytes=KEEP_DEFAULT.bytes_max,
    )
