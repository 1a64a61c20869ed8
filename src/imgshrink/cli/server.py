"""`imgshrink server` and its keys, as click commands; composes the server and its engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import SettingsError
from ..server.limits import MONTHLY_LIMIT, Limits
from ..settings.folders import state_folder
from ..settings.machine import processors

if TYPE_CHECKING:
    from ..server.keys import Key, Keys

NO_EXTRA = 'the server needs more packages: pip install "imgshrink[server]"'

OPTIONS = (
    click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder of keys, jobs and images."),
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."),
    click.option("--public-url", default="", help="The URL of the server for clients; prefix of URLs in replies."),
    click.option("--jobs", default=processors, type=click.IntRange(1, 256), help="Images processed at once."),
    click.option(
        "--queue", default=Limits.queue, show_default=True, type=click.IntRange(1), help="Images that may wait."
    ),
    click.option(
        "--max-body", default=Limits.body, show_default=True, type=click.IntRange(1024), help="Bytes per request."
    ),
    click.option("--storage", default=Limits.storage, show_default=True, type=click.IntRange(0), help="Bytes stored."),
    click.option(
        "--rate",
        default=Limits.rate,
        show_default=True,
        type=click.FloatRange(0.01),
        help="Requests per second and key.",
    ),
    click.option(
        "--grace",
        default=10.0,
        show_default=True,
        type=click.FloatRange(0, 3600),
        help="Seconds to finish running work.",
    ),
    click.option(
        "--drain",
        default=0.0,
        show_default=True,
        type=click.FloatRange(0, 3600),
        help="Seconds to serve on, not ready, before shutting down.",
    ),
    click.option(
        "--log-format",
        default="text",
        show_default=True,
        envvar="IMGSHRINK_LOG_FORMAT",
        type=click.Choice(["text", "json"]),
        help="json: one object a line.",
    ),
)


@click.group(invoke_without_command=True)
@click.pass_context
def server(context: click.Context, /, data: Path | None, **options: object) -> None:
    """Serve the TinyJPG API in your own network.

    The built-in codecs do the work. The first start prints an API key. SIGTERM or Ctrl-C shuts it down in order; no
    accepted image is lost.
    """
    context.obj = (data or state_folder(os.environ) / "server").absolute()
    if context.invoked_subcommand is None:
        _run(context.obj, options)


for _option in OPTIONS:
    server = _option(server)


def _run(data: Path, options: Mapping[str, Any]) -> None:
    try:
        from ..server.operations import TOKEN_VARIABLE
        from ..server.run import Address, Operating, serve
    except ModuleNotFoundError as error:
        raise SettingsError(NO_EXTRA) from error
    from ..engines.builtin import Builtin
    from ..worker_tasks import remote_verify, worker_pool

    workers = worker_pool(options["jobs"])
    try:
        serve(
            Builtin(workers),
            remote_verify(workers),
            data=data,
            address=Address(options["host"], options["port"], options["public_url"]),
            limits=_limits(options),
            jobs=options["jobs"],
            grace=options["grace"],
            announce=click.echo,
            operating=Operating(options["drain"], options["log_format"], os.environ.get(TOKEN_VARIABLE, "").strip()),
        )
    finally:
        workers.close()


def _limits(options: Mapping[str, Any]) -> Limits:
    return Limits(
        body=options["max_body"],
        queue=options["queue"],
        storage=options["storage"],
        rate=options["rate"],
        burst=max(1, round(5 * options["rate"])),
    )


@server.group()
def keys() -> None:
    """Add, list and revoke API keys; a running server applies it at once."""


@keys.command()
@click.argument("name")
@click.option("--limit", default=MONTHLY_LIMIT, show_default=True, type=click.IntRange(0), help="Images a month.")
@click.pass_obj
def add(data: Path, name: str, limit: int) -> None:
    """Create a key called NAME and print it, once."""
    with _opened(data) as known:
        click.echo(f"The key {name}, shown only now: {known.add(name, limit)}")


@keys.command("list")
@click.pass_obj
def list_keys(data: Path) -> None:
    """List all keys: name, creation, use in this month, whether revoked."""
    with _opened(data) as known:
        for key in known.all():
            click.echo(_line(key))


@keys.command()
@click.argument("name")
@click.pass_obj
def revoke(data: Path, name: str) -> None:
    """Revoke the key called NAME."""
    with _opened(data) as known:
        known.revoke(name)
        click.echo(f"The key {name} is revoked.")


def _line(key: Key) -> str:
    made, ended = _day(key.created), "in force" if key.revoked is None else f"revoked {_day(key.revoked)}"
    return f"{key.name:24}  {key.id}  made {made}  {key.used} of {key.monthly_limit} images this month  {ended}"


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


@contextmanager
def _opened(data: Path) -> Iterator[Keys]:
    from ..server.database import Database
    from ..server.keys import Keys

    with closing(Database(data)) as database:
        yield Keys(database)
