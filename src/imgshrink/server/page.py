"""The page at `/` for people: what the server is, whether it works, how to call it, and a form to try an image.

It loads nothing, and its policy allows only its own style and script, images that it made, and requests to the server.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files

from .. import __version__


def page(public_url: str) -> tuple[str, str]:
    """Return the HTML of the page and its content security policy; `public_url` is the prefix of URLs in replies."""
    style, script = _text("page.css"), _text("page.js")
    words = {"style": style, "script": script, "version": escape(__version__), "public_url": escape(public_url)}
    html = _text("page.html")
    for name, text in words.items():
        html = html.replace(f"{{{name}}}", text)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
