"""Build this site with imgshrink and show what it saved: `python3 example_site/try.py [--serve]`.

No key and no upload: the built-in codecs do the work. The environment, the cache and the site stay inside this clone.
"""

import functools
import http.server
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import environment

SITE = environment.ROOT / "example_site"
HOME = environment.ROOT / ".venv-try"
THEME = "mkdocs-material>=9.5"
ADDRESS = "127.0.0.1", 8000


def main() -> int:
    python = environment.ready(HOME.name, "--editable", ".[mkdocs,pages]", THEME)
    command = [str(python), "-m", "mkdocs", "build", "--strict", "--config-file", str(SITE / "mkdocs.yml")]
    built = subprocess.run(command, env={**os.environ, **surroundings()}, cwd=environment.ROOT, check=False)
    if built.returncode == 0:
        print(closing(json.loads((HOME / "report.json").read_text(encoding="utf-8"))))
        if "--serve" in sys.argv:
            serve()
    return built.returncode


def serve() -> None:
    """Show the site on this machine until Ctrl-C: browsers search only in sites that come from a server."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE / "site"))
    with http.server.ThreadingHTTPServer(ADDRESS, handler) as server:
        print("http://{}:{}/ shows it, until Ctrl-C".format(*ADDRESS), flush=True)
        server.serve_forever()


def surroundings() -> dict[str, str]:
    """What the build finds in its environment: our codecs, a cache of its own, and the date of the last commit."""
    date = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=SITE, capture_output=True, text=True, check=False)
    return {
        "IMGSHRINK_ENGINE": "builtin",
        "IMGSHRINK_CACHE_DIR": str(HOME / "cache"),
        "IMGSHRINK_REPORT": str(HOME / "report.json"),
        "SOURCE_DATE_EPOCH": date.stdout.strip() or "0",  # so that two builds of one commit are the same, byte for byte
    }


def closing(report: dict) -> str:
    """The largest savings, where to look, and what to do next."""
    largest = sorted(report["images"], key=lambda image: image["after"] - image["before"])[:5]
    rows = [f"  {row['path']:<44} {row['before'] / 1000:5.0f} kB -> {row['after'] / 1000:4.0f} kB" for row in largest]
    calls = sum(image["engine"] != "" and not image["from_cache"] for image in report["images"])
    return "\n".join(
        [
            "",
            "The five largest savings:",
            *rows,
            f"Images that a codec had to look at: {calls} of {len(report['images'])}"
            + (". Run the same command again: none." if calls else ": all were known from the first time."),
            f"Before and after, side by side:  {SITE / 'site' / 'gallery.html'}",
            f"The site itself:                 {SITE / 'site' / 'index.html'}",
            "With its search, from a server:  python3 example_site/try.py --serve",
        ]
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
