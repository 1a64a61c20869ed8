"""`usage`: how much of the quota is used and left, as the API says."""

from __future__ import annotations

import json

import click

from ..core.errors import SettingsError
from ..core.tinyjpg import STATS, USAGE
from ..engines.hosted.quota import read_quota, rows
from ..report.quoting import shown
from ..session import Session
from .options import settings_of
from .output import print_result

VERSION = 1
"""Of the JSON of `usage`."""

QUOTA = {"left": "quota left", "limit": "quota a month", "used": "used this month", "renews": "renews on"}


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print the API's replies and the count of waiting results as JSON."
)
def usage(*, as_json: bool) -> None:
    """Show the quota of the API key, and paid results that wait."""
    settings = settings_of({})
    if settings.account_problem:
        raise SettingsError(settings.account_problem)
    if settings.api_key is None:
        raise SettingsError("there is no API key: set TINYJPG_API_KEY, or put it into your own config.toml")
    with Session(settings) as session:
        stats, used = session.hosted.ask(STATS), session.hosted.ask(USAGE)
        waiting = session.hosted.waiting()
    if as_json:
        print_result(json.dumps({"version": VERSION, "stats": stats, "usage": used, "waiting": waiting}, indent=1))
        return
    quota = read_quota(stats)
    known = [(words, value) for name, words in QUOTA.items() if (value := getattr(quota, name)) not in (None, "")]
    for name, value in [*known, ("paid for, not collected yet", waiting), *rows(used)]:
        print_result(f"{shown(name):<32} {shown(str(value))}")
