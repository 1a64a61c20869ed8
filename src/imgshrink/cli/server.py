"""`imgshrink server` and its keys, as click commands; composes the server and its engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import SettingsError
from ..server.limits import MONTHLY_LIMIT, Limits
from ..settings.folders import state_folder
from ..settings.machine import processors
from ..shared_tier import wanted_tier
from .options import PathName, settings_of

if TYPE_CHECKING:
    from ..server.backend import Places
    from ..server.keys import Key, Keys
    from ..server.shared_results import SharedResults

NO_EXTRA = 'the server needs more packages: pip install "imgshrink[server]"'

OPTIONS = (
    click.option("--data", type=PathName(file_okay=False, path_type=Path), help="Folder of keys, jobs and images."),
    click.option(
        "--database", default="", envvar="IMGSHRINK_DATABASE", help="PostgreSQL that many nodes share: postgresql://..."
    ),
    click.option(
        "--blobs", default="", envvar="IMGSHRINK_BLOBS", help="Images elsewhere: s3://..., gs://, az:// or file:///..."
    ),
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."),
    click.option("--public-url", default="", help="The URL of the server for clients; prefix of URLs in replies."),
    click.option(
        "--jobs", default=processors, type=click.IntRange(0, 256), help="Images processed at once; 0: only answer."
    ),
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
def server(context: click.Context, /, data: Path | None, database: str, blobs: str, **options: object) -> None:
    """Serve the TinyJPG API in your own network.

    The built-in codecs do the work. The first start prints an API key. SIGTERM or Ctrl-C shuts it down in order; no
    accepted image is lost.
    """
    data = (data or state_folder(os.environ) / "server").absolute()
    context.obj = lambda: _places(data, database, blobs)
    if context.invoked_subcommand is None:
        _run(context.obj(), options)


for _option in OPTIONS:
    server = _option(server)


def _places(data: Path, database: str, blobs: str) -> Places:
    with _extra():
        from ..server.backend import Places
    return Places(data, database, blobs)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(NO_EXTRA) from error


def _run(places: Places, options: Mapping[str, Any]) -> None:
    from ..engines.builtin import Builtin

    with _extra():
        from ..server.operations import TOKEN_VARIABLE
        from ..server.run import Address, Operating, serve
        from ..server.work import Work
    from ..worker_tasks import remote_verify, worker_pool

    workers = worker_pool(max(1, options["jobs"]))
    engine = Builtin(workers)
    try:
        serve(
            Work(engine, remote_verify(workers), _shared_results(engine.fingerprint)),
            places,
            address=Address(options["host"], options["port"], options["public_url"]),
            limits=_limits(options),
            jobs=options["jobs"],
            grace=options["grace"],
            announce=click.echo,
            operating=Operating(options["drain"], options["log_format"], os.environ.get(TOKEN_VARIABLE, "").strip()),
        )
    finally:
        workers.close()


def _shared_results(fingerprint: str) -> SharedResults | None:
    """Return what the shared cache of the environment knows, None where none is set."""
    wanted = wanted_tier(settings_of({}))
    if wanted is None:
        return None
    from ..cache.opening import open_parts
    from ..server.shared_results import SharedResults

    return SharedResults(open_parts(wanted), fingerprint)


def _limits(options: Mapping[str, Any]) -> Limits:
    return Limits(
        body=options["max_body"],
        queue=options["queue"],
        storage=options["storage"],
        rate=options["rate"],
        burst=max(1, round(5 * options["rate"])),
    )


@server.command()
@click.pass_obj
def migrate(places: Callable[[], Places]) -> None:
    """Copy keys, jobs and images from --data to --database and --blobs.

    Stop the server first. The folder stays as it is.
    """
    with _extra():
        from ..server.migrate import migrate as copy
    done = copy(places())
    click.echo(f"{done.keys} keys, {done.jobs} jobs and {done.images} images copied.")
    if done.gone:
        click.echo(f"{done.gone} images were gone from the folder; their jobs were copied.")


@server.group()
def keys() -> None:
    """Add, list and revoke API keys; a running server applies it at once."""


@keys.command()
@click.argument("name")
@click.option("--limit", default=MONTHLY_LIMIT, show_default=True, type=click.IntRange(0), help="Images a month.")
@click.option("--apart", is_flag=True, help="Its images stay out of the shared cache.")
@click.pass_obj
def add(places: Callable[[], Places], name: str, limit: int, *, apart: bool) -> None:
    """Create a key called NAME and print it, once."""
    with _opened(places()) as known:
        click.echo(f"The key {name}, shown only now: {known.add(name, limit, apart=apart)}")


@keys.command("list")
@click.pass_obj
def list_keys(places: Callable[[], Places]) -> None:
    """List all keys: name, creation, use in this month, whether revoked."""
    with _opened(places()) as known:
        for key in known.all():
            click.echo(_line(key))


@keys.command()
@click.argument("name")
@click.pass_obj
def revoke(places: Callable[[], Places], name: str) -> None:
    """Revoke the key called NAME."""
    with _opened(places()) as known:
        known.revoke(name)
        click.echo(f"The key {name} is revoked.")


def _line(key: Key) -> str:
    made, ended = _day(key.created), "in force" if key.revoked is None else f"revoked {_day(key.revoked)}"
    return f"{key.name:24}  {key.id}  made {made}  {key.used} of {key.monthly_limit} images this month  {ended}"


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


@contextmanager
def _opened(places: Places) -> Iterator[Keys]:
    from ..server.backend import open_database
    from ..server.keys import Keys

    with closing(open_database(places)) as database:
        yield Keys(database)
