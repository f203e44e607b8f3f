"""The gateway (国密网关) in front of a node: TLS with national algorithms for clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields

app = typer.Typer()


@verb(app, "run")
def run(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="gateway.toml of the gateway.")],
) -> Answer:
    """Run a gateway in the foreground until SIGTERM or SIGINT; SIGHUP reads certificates anew."""
    import trio

    from node.gateway.config import load_gateway_config
    from node.gateway.serve import serve
    from node.logs import configure
    from node.serve import innermost

    loaded = load_gateway_config(config)
    configure(loaded.log_level)
    try:
        trio.run(serve, loaded)
    except BaseExceptionGroup as group:
        raise innermost(group) from None
    return None


@verb(app, "new")
def new(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="The gateway.toml to write; it must not exist.")],
    certificate: Annotated[
        Path, typer.Option(help="Certificate of role node (shuxin ca issue --role node).")
    ],
    key_file: Annotated[Path, typer.Option(help="Its SM2 key, encrypted.")],
    key_passphrase: Annotated[Path, typer.Option(help="File with the passphrase of the key.")],
    listen: Annotated[str, typer.Option(help="Where clients connect.")] = "0.0.0.0:7443",
    upstream: Annotated[
        str, typer.Option(help="The node's client interface, on this machine.")
    ] = "127.0.0.1:7100",
) -> Answer:
    """Write the commented configuration of a gateway."""
    from node.gateway.config import load_gateway_config, render_gateway_config

    text = render_gateway_config(
        listen=listen,
        node=upstream,
        certificate=str(certificate.resolve()),
        key=str(key_file.resolve()),
        passphrase_file=str(key_passphrase.resolve()),
    )
    try:
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandRefused("file", f"{config} exists and is not overwritten; edit it") from None
    try:
        loaded = load_gateway_config(config)
    except Exception:
        config.unlink()
        raise
    return Fields({"config": str(config), "listen": loaded.listen, "node": loaded.node})
