"""Write the table of all settings into its page, from the one table in the code: `python scripts/settings_page.py`."""

from __future__ import annotations

from pathlib import Path

from imgshrink.settings.schema import fields_of

PAGE = Path(__file__).resolve().parent.parent / "example_site" / "docs" / "settings.md"
HEAD = "| setting | default | meaning | where |\n|---|---|---|---|\n"
EVERYWHERE = ("project", "mkdocs", "environment", "argument")
WORDS = {
    "own": "config.toml", "project": "project file", "mkdocs": "mkdocs.yml", "environment": "environment",
    "argument": "arguments",
}  # fmt: skip


def table() -> str:
    """A row a setting, in the code's order."""
    rows = []
    for field in fields_of():
        where = "everywhere" if field.places == EVERYWHERE else ", ".join(WORDS[place] for place in field.places)
        rows.append(f'| <a id="{field.name}"></a>`{field.name}` | {field.shown} | {field.meaning} | {where} |\n')
    return HEAD + "".join(rows)


def renewed(page: str) -> str:
    """Return the page's text with the table as it must be."""
    before, _, rest = page.partition(HEAD)
    return before + table() + "\n" + rest.partition("\n\n")[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
