"""What people read: numbers, names, lines, blocks and documents. The texts are golden files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.model import Outcome, Plan, Reason, Status
from imgshrink.report import documents, hook_messages, messages, quoting, summary, units
from outcomes import ROWS, shrunk
from places import GOLDEN


class Everything:
    """A collection that holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


EVERY = hook_messages.UndoCommands(Everything(), "python -m imgshrink")  # type: ignore[arg-type]


def golden(name: str, lines: Iterable[str]) -> None:
    """Compare with a golden file; `WRITE_GOLDEN=1` writes it anew."""
    text = "".join(f"{line}\n" for line in lines)
    if os.environ.get("WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def plan(images: int, before: int, new: int, new_bytes: int, *asked: str) -> Plan:
    return Plan(images, before, new, new_bytes, dict.fromkeys(asked or ("builtin",), (new, new_bytes)))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (412_300, "412 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (61_400_000, "61.4 MB"),
        (999_949_999, "999.9 MB"),
        (999_950_000, "1.0 GB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    """A size is decimal, and never a thousand of its unit."""
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.34, "0.3 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (154, "2 min 34 s"),
        (600, "10 min"),
        (3600, "1 h"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    """A time has at most two units, and is never sixty of one."""
    assert units.span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "about 10 s"), (31, "about 40 s"), (56, "about 1 min"), (170, "about 3 min")]
)
def test_estimates_are_coarse(seconds: float, text: str) -> None:
    """An estimate is no more exact than it can be."""
    assert units.about(seconds) == text


@pytest.mark.parametrize(
    ("before", "after", "text"), [(100, 45, "55 %"), (0, 0, "0 %"), (100, 135, "0 %"), (10**6, 1, "99 %")]
)
def test_shares(before: int, after: int, text: str) -> None:
    """A share is what was saved; a seal's cost is no negative saving, and nothing is saved whole."""
    assert units.share(before, after) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/img/a b.png", "docs/img/a b.png"),
        ("grüße.png", "grüße.png"),
        ("a\nimgshrink: all fine.png", "a\\nimgshrink: all fine.png"),
        ("\x1b[2Ja.png", "\\x1b[2Ja.png"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2028b.png", "a\\u2028b.png"),
        ("a\udcff.png", "a\\udcff.png"),
    ],
)
def test_names_can_not_move_the_text(name: str, text: str) -> None:
    """Control characters, bidi overrides and bytes that are no text are escaped in a name."""
    assert quoting.shown(name) == text


def test_what_a_stream_can_not_hold_is_escaped() -> None:
    """A line fits any stream: letters that its encoding lacks are escaped."""
    assert quoting.fitting("grüße.png", "ascii") == "gr\\xfc\\xdfe.png"
    assert quoting.fitting("grüße.png", "utf-8") == "grüße.png"
    assert quoting.fitting("ü", None) == "\\xfc"


HARD_NAMES = [
    "a b.png",
    "it's.png",
    'say "x".png',
    "-rf.png",
    "$(touch owned).png",
    "a\nb.png",
    "a\u202eb.png",
    "back\\slash'.png",
    ":(top)x.png",
    "star*.png",
    "a[1].png",
    "grüße.png",
    "~/x.png",
    "a;b&c|d.png",
    "new\nline's\\n.png",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("name", HARD_NAMES)
def test_quoted_name_is_one_word(name: str) -> None:
    """A quoted name comes out of a shell as one word that names the same file, and is no option."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {quoting.quoted(name)}"], capture_output=True, check=True)
    assert done.stdout.decode() in (f"{name}\0", f"./{name}\0")
    assert not done.stdout.startswith(b"-")


@pytest.mark.skipif(os.name != "posix" or shutil.which("bash") is None, reason="needs bash and names of bytes")
def test_quoted_name_of_bytes_that_are_no_text() -> None:
    """A name that is not UTF-8 is quoted by its bytes."""
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quoting.quoted('a' + chr(0xDCFF))}"], capture_output=True, check=True
    )
    assert done.stdout == b"a\xff"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12))
def test_any_name_is_one_word(name: str) -> None:
    """Whatever a name holds, its quoted form is one word of the shell."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = ["bash", "-c", f"printf '%s\\0' {quoting.quoted(name)}"]
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert done.stdout.decode() in (f"{name}\0", f"./{name}\0")


@pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX only")
def test_pathspec_adds_that_very_file(tmp_path: Path) -> None:
    """What is to be copied behind `git add` adds the named file and no other."""
    for name in [*HARD_NAMES, "star1.png", "a1.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in HARD_NAMES:
        subprocess.run(["bash", "-c", f"git add {quoting.pathspec(name)}"], cwd=tmp_path, check=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert set(listed.rstrip("\0").split("\0")) == set(HARD_NAMES)


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["docs/img/a.png", "docs/img/b.png"], "docs/img"),
        (["docs/a.png", "docs/img/b.png"], "docs"),
        (["docs-a/a.png", "docs-b/b.png"], ""),
        (["a.png", "docs/b.png"], ""),
        (["/a.png", "/docs/b.png"], ""),
        (["/docs/a.png", "docs/b.png"], ""),
        ([], ""),
    ],
)
def test_shared_folder(names: list[str], folder: str) -> None:
    """The folder that names share is the deepest one, by whole parts."""
    assert quoting.folder_of(names) == folder


def test_lines_of_a_build() -> None:
    """The lines of a build, as they are printed."""
    cold = summary.Summary(
        images=800,
        optimized=742,
        kept=56,
        skipped=2,
        before=61_400_000,
        after=27_900_000,
        seconds=154,
        known=530,
        answered=212,
    )
    warm = summary.Summary(
        from_cache=800, images=800, optimized=744, kept=56, before=61_400_000, after=27_900_000, seconds=0.3, known=744
    )
    broken = [
        Outcome("docs/img/b.gif", Status.SKIPPED, 10, 10, reason="file ends early"),
        Outcome("docs/img/a.png", Status.FAILED, 10, 10, reason="file ends early"),
        Outcome("docs/img/dot.png", Status.SKIPPED, 10, 10, reason=Reason.SMALL),
    ]
    golden(
        "build.txt",
        [
            messages.announcement(plan(800, 61_400_000, 212, 48_000_000)),
            messages.progress(96, 212, 30_100_000, 48_000_000, 61),
            messages.result(cold),
            messages.left_alone(summary.left(broken)),
            messages.result(warm),
            messages.empty_cache(154),
            messages.time_over(600, 120, 4_100_000),
            messages.key_empty(),
            messages.no_key(12),
            messages.key_refused("www.tinyjpg.co", 401, 12),
            messages.quota_used_up(37, 63, renews="2026-12-01"),
            messages.uploading(100, 12_300_000, "www.tinyjpg.co", 137),
            messages.in_work(12, "www.tinyjpg.co"),
        ],
    )


def test_lines_about_one_image() -> None:
    """One image is one image in every line."""
    one = summary.Summary(
        images=1, optimized=1, before=20_000, after=9_000, uploads=1, seconds=2, answered=1, quota_left=3
    )
    known = summary.Summary(images=1, optimized=1, before=20_000, after=9_000, seconds=0.1, known=1, from_cache=1)
    golden(
        "build_one.txt",
        [
            messages.announcement(plan(1, 20_000, 1, 20_000, "hosted", "builtin"), host="www.tinyjpg.co"),
            messages.progress(0, 1, 0, 20_000, None),
            messages.result(one),
            messages.result(known),
            messages.result(summary.Summary()),
            messages.time_over(60, 1, 20_000, next_run="the next run"),
            messages.no_key(1),
            messages.key_refused("api.example", 403, 1, fallen_back=False),
            messages.quota_used_up(1, 1),
            messages.quota_used_up(0, 2, fallen_back=False),
            messages.uploading(1, 20_000, "www.tinyjpg.co", None),
            messages.in_work(1, "www.tinyjpg.co"),
        ],
    )


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ({"images": 1, "kept": 1}, "nothing to do: the image is shrunk. "),
        ({"images": 2, "kept": 2}, "nothing to do: both images are shrunk. "),
        ({"images": 5, "kept": 5}, "nothing to do: all 5 images are shrunk. "),
        ({"images": 5, "kept": 3, "skipped": 1, "failed": 1}, "nothing to do: 3 images are shrunk, 2 left alone. "),
        ({"images": 2, "skipped": 2, "small": 1}, "nothing to do: 1 left alone, 1 under min_size. "),
        ({"images": 2, "kept": 1, "sealed": 1, "from_cache": 2}, "Both images are in the cache. "),
        (
            {"images": 3, "kept": 1, "sealed": 1, "from_cache": 1, "skipped": 1, "small": 1},
            "2 images are in the cache, or shrunk before, 1 under min_size. ",
        ),
        (
            {"images": 1, "skipped": 1, "pending": 1},
            "0 shrunk (0 from the cache, 0 new), 0 had nothing to gain, 1 left alone. ",
        ),
    ],
)
def test_a_run_that_changes_nothing(numbers: dict[str, int], line: str) -> None:
    """Where no image was shrunk in this run, the line leaves the sizes out and says what the images are."""
    assert messages.result(summary.Summary(before=9000, after=9000, **numbers)) == f"{line}0 uploads, 0.0 s"


def test_dry_run() -> None:
    """A dry run says what would be found, and what it would cost."""
    rest = {"finished": 700, "known": 80}
    golden(
        "dry_run.txt",
        [
            messages.dry_run_summary(plan(812, 61_400_000, 32, 12_300_000), **rest, small=4, left=2, excluded=9),
            messages.dry_run_summary(plan(1, 2000, 0, 0), finished=1, known=0, small=0, left=0, excluded=0),
            messages.uploads_needed(32, 500, 137),
            messages.uploads_needed(700, 500, None),
            messages.uploads_needed(1, 500, 0),
        ],
    )


def test_small_files_are_counted_apart() -> None:
    """Files under min_size are neither left alone for a reason nor without gain."""
    rows = [shrunk("a", 3000, 1000), Outcome("b", Status.SKIPPED, 9, 9, reason=Reason.SMALL)]
    line = messages.result(summary.summarize(rows, seconds=1))
    assert ", 0 left alone, 1 under min_size. " in line


def test_long_list_of_what_was_left_alone() -> None:
    """At most ten files are named in one line."""
    rows = [Outcome(f"{number:02}.png", Status.FAILED, 9, 9, reason="empty file") for number in range(25)]
    assert messages.left_alone(rows).endswith("09.png (empty file), and 15 more")


def test_summary_counts() -> None:
    """A summary counts every status, what came from the cache, what was asked, and what stays for the next run."""
    rows = [
        shrunk("a", 3000, 1000),
        shrunk("b", 3000, 1000, known=True),
        Outcome("c", Status.KEPT, 10, 10, engine="builtin", reason="nothing to gain"),
        Outcome("d", Status.SEALED, 10, 45),
        Outcome("e", Status.SKIPPED, 7, 7, reason=Reason.LATE),
        Outcome("f", Status.SKIPPED, 7, 7, reason=Reason.UNSERVED),
        Outcome("g", Status.FAILED, 1, 1, reason="can't be read"),
    ]
    expected = summary.Summary(
        images=7, optimized=2, kept=1, sealed=1, skipped=2, failed=1, before=6035, after=2070, from_cache=1, uploads=2,
        quota_left=5, seconds=1.5, late=1, late_bytes=7, unserved=1, known=1, answered=2,
    )  # fmt: skip
    assert summary.summarize(rows, seconds=1.5, uploads=2, quota_left=5) == expected


def test_block_of_shrunk_images() -> None:
    """The hook shows what it made smaller and the commands to go on, to go back, and to do without."""
    rows = [shrunk("docs/img/logo.png", 32_000, 17_000), shrunk("docs/img/setup.png", 380_000, 121_000)]
    golden("hook_shrunk.txt", hook_messages.rewritten(rows, EVERY))


def test_block_of_many_images() -> None:
    """Over five images, the largest savings are shown, and the commands name the folder they share."""
    rows = [shrunk(f"docs/img/{number:03}.png", 1000 * (number + 10), 1000) for number in range(800)]
    golden("hook_many.txt", hook_messages.rewritten(rows, EVERY))


def test_block_of_many_images_in_the_root() -> None:
    """Images that share no folder are named by their endings, never by everything that changed."""
    rows = [shrunk(f"{number}/x.{'png' if number % 2 else 'gif'}", 9000, 1000) for number in range(8)]
    golden("hook_root.txt", hook_messages.rewritten(rows, EVERY))


def test_block_of_sealed_images() -> None:
    """Images that gain nothing are said to be marked, with what to add."""
    rows = [Outcome(f"docs/{name}.png", Status.SEALED, 2000, 2052) for name in "cab"]
    golden("hook_sealed.txt", [*hook_messages.rewritten(rows, EVERY), *hook_messages.rewritten(rows[:1], EVERY)])


def test_block_of_shrunk_and_sealed_images() -> None:
    """Commands name the shrunk and the sealed images alike."""
    rows = [shrunk("docs/a b.png", 38_000, 12_000), Outcome("docs/-c.png", Status.SEALED, 2000, 2052)]
    golden("hook_mixed.txt", hook_messages.rewritten(rows, EVERY))


def test_block_of_images_that_git_would_not_bring_back() -> None:
    """What is staged otherwise or not at all comes back by our own command; a folder of both by it alone."""
    rows = [shrunk(f"docs/{name}.png", 9000, 1000) for name in "abcdefg"]
    first = hook_messages.UndoCommands({"docs/a.png"}, "python -m imgshrink")
    most = hook_messages.UndoCommands({row.path for row in rows[:6]}, "python -m imgshrink")
    none = hook_messages.UndoCommands((), "python -m imgshrink")
    blocks = [
        hook_messages.rewritten(rows[:2], first),
        hook_messages.rewritten(rows[:2], none),
        hook_messages.rewritten(rows, most),
    ]
    golden("hook_not_staged.txt", [line for block in blocks for line in block])


def test_block_with_the_command_that_compares() -> None:
    """Where there is a command that compares, the block names the images, of many the largest savings."""
    rows = [shrunk(f"docs/{name}.png", 9000, 1000) for name in "abcdef"]
    command = "prek run imgshrink-compare --hook-stage manual --files"
    few = hook_messages.rewritten(rows[:1], hook_messages.UndoCommands(Everything(), "", "", command))  # type: ignore[arg-type]
    assert few[2] == f"See them beside the originals:                 {command} docs/a.png"
    many = hook_messages.rewritten(rows, hook_messages.UndoCommands(Everything(), "", "/repo", command))  # type: ignore[arg-type]
    listed = " ".join(f"/repo/docs/{name}.png" for name in "abcde")
    assert many[7] == f"See the largest beside the originals:          {command} {listed}"


def test_block_below_the_top() -> None:
    """Called from a folder of the repository, the commands name files from its top."""
    rows = [shrunk(f"docs/{name}.png", 9000, 1000) for name in ("a b", "[c]", *"defgh")]
    every = hook_messages.UndoCommands({row.path for row in rows}, "python -m imgshrink", "/repo")
    root = [shrunk(f"{name}/x.png", 9000, 1000) for name in "abcdef"]
    whole = hook_messages.UndoCommands({row.path for row in root}, "python -m imgshrink", "/repo")
    other = hook_messages.UndoCommands((), "python -m imgshrink", "/repo")
    blocks = [
        hook_messages.rewritten(rows[:2], every),
        hook_messages.rewritten(rows, every),
        hook_messages.rewritten(root, whole),
    ]
    blocks.append(hook_messages.rewritten(rows[:1], other))
    golden("hook_below.txt", [line for block in blocks for line in block])


def test_nothing_rewritten_is_silent() -> None:
    """There is no block where nothing was rewritten."""
    assert hook_messages.rewritten([Outcome("a", Status.KEPT, 9, 9)], EVERY) == []


def test_partly_staged() -> None:
    """Files with unstaged changes are named with the cure."""
    names = [f"docs/{number}.png" for number in range(8)]
    golden(
        "hook_partly_staged.txt",
        [
            hook_messages.partly_staged(["docs/a.png"]),
            hook_messages.partly_staged(names[:2], "prek"),
            hook_messages.partly_staged(names, others=1),
        ],
    )


def not_shrunk(count: int) -> list[Outcome]:
    return [Outcome(f"docs/img/{number}.png", Status.SKIPPED, 840_000 - 1000 * number, 0) for number in range(count)]


def test_block_of_images_that_are_not_shrunk() -> None:
    """A check names what is not shrunk and the commands; users of the hook need none of ours."""
    golden(
        "check.txt",
        [
            *hook_messages.not_shrunk(not_shrunk(3), 812, hook=True),
            *hook_messages.not_shrunk(not_shrunk(1), 1, hook=False, file="pyproject.toml"),
            *hook_messages.not_shrunk(not_shrunk(7), 812, hook=True, runner="prek"),
            *hook_messages.not_shrunk(not_shrunk(7), 812, hook=False),
        ],
    )


def test_green_check() -> None:
    """A check that finds nothing says in one line what it passed over."""
    under = hook_messages.under
    golden(
        "check_green.txt",
        [
            hook_messages.all_shrunk(812, {}),
            hook_messages.all_shrunk(812, {under(1024): 4, "in the baseline": 0}, excluded=9),
            hook_messages.all_shrunk(1, {}),
            hook_messages.all_shrunk(2, {under(1500): 1}),
            hook_messages.all_shrunk(60, {"in the baseline": 57, under(1024): 3}),
            hook_messages.all_shrunk(1, {"left alone": 1}),
            hook_messages.all_shrunk(0, {}, paths="docs"),
            hook_messages.all_shrunk(0, {}, excluded=2),
        ],
    )


def test_json_report() -> None:
    """The JSON report holds exactly the words of version 1, images by path."""
    text = documents.to_json(ROWS, summary.summarize(ROWS, seconds=1.23456, quota_left=7, excluded=2))
    golden("report.json", text.splitlines())
    assert [image["path"] for image in json.loads(text)["images"]] == sorted(row.path for row in ROWS)


def test_markdown_report() -> None:
    """The Markdown report sums up and lists the largest savings; a name is no markup."""
    golden("report.md", documents.to_markdown(ROWS, summary.summarize(ROWS)).splitlines())


def test_markdown_report_is_short() -> None:
    """The Markdown table has at most twenty rows, and none where nothing shrank."""
    rows = [shrunk(f"{number}.png", 9000, 1000) for number in range(30)]
    assert documents.to_markdown(rows, summary.summarize(rows)).count("kB | 1 kB |") == 20
    assert documents.to_markdown(rows, summary.summarize(rows)).endswith("\nand 10 more\n")
    assert "|" not in documents.to_markdown([], summary.summarize([]))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("docs/a.png", "docs/a.png"),
        ("docs\\a b.png", "'docs\\a b.png'"),
        ("it's.png", "'it''s.png'"),
        ("$env:X.png", "'$env:X.png'"),
        ("-x.png", "./-x.png"),
        ("a;b.png", "'a;b.png'"),
        ("@a.png", "'@a.png'"),
        ("\u00e4.png", "'\u00e4.png'"),
    ],
)
def test_words_of_powershell(monkeypatch: pytest.MonkeyPatch, name: str, word: str) -> None:
    """On Windows commands are copied into PowerShell: all but plain words stand in its single quotes."""
    monkeypatch.setattr(quoting, "POWERSHELL", True)
    assert quoting.quoted(name) == word


def test_program_with_a_space_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quoting.called("/a b/python") == "'/a b/python'"
    monkeypatch.setattr(quoting, "POWERSHELL", True)
    assert quoting.called("C:\\a b\\python.exe") == "& 'C:\\a b\\python.exe'"
    assert quoting.called("C:\\python.exe") == "C:\\python.exe"


def test_variable_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quoting.with_variable("SKIP", "imgshrink", "git commit") == "SKIP=imgshrink git commit"
    monkeypatch.setattr(quoting, "POWERSHELL", True)
    assert (
        quoting.with_variable("SKIP", "imgshrink", "git commit") == "$env:SKIP='imgshrink'; git commit; $env:SKIP=$null"
    )
