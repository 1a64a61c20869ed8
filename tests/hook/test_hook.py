"""The hook as a program: what it does to files, what it says, how it exits, what it loads."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imgshrink import hook
from imgshrink.core.errors import SettingsError
from imgshrink.image.seal import read_seal, seal, unseal
from patience import PATIENCE, until
from real_tools import GIF, JPEG, OTHER_PNG, PICTURES, PNG, SMALL, git, make_repository, program, run
from shell import UNMEASURED


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warmed: None) -> Path:
    """A working folder with two images that shrink."""
    (tmp_path / "docs").mkdir()
    shutil.copyfile(PNG, tmp_path / "docs/a.png")
    shutil.copyfile(OTHER_PNG, tmp_path / "docs/b.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_rewrites_what_shrinks_and_says_what_to_do(folder, capsys):
    """Files that shrink are rewritten and sealed, exit code 1; the block names them, how to add and how to go back."""
    make_repository(folder)
    git(folder, "add", ".")
    assert hook.main(["docs/a.png", "docs/b.png"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("imgshrink: 2 images shrunk, 91 kB -> ")
    program = f"{shlex.quote(sys.executable)} -m imgshrink"
    assert said[3:] == [
        f"See them beside the originals:                 {program} compare docs/b.png docs/a.png",
        "Check the result, then add and commit again:   git add docs/b.png docs/a.png",
        "Get the originals back:                        git restore docs/b.png docs/a.png",
        "Commit without shrinking:                      SKIP=imgshrink git commit",
    ]
    assert read_seal((folder / "docs/a.png").read_bytes()) == 80
    assert (folder / "docs/a.png").stat().st_size < PNG.stat().st_size


def test_second_run_changes_and_says_nothing(folder, capsys):
    """Finished files are left alone, without a word, exit code 0."""
    hook.main(["docs/a.png", "docs/b.png"])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("docs/*")}
    capsys.readouterr()
    assert hook.main(["docs/a.png", "docs/b.png"]) == 0
    assert capsys.readouterr().out == ""
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("docs/*")} == before


def test_finished_file_is_finished_on_another_machine(folder, monkeypatch, tmp_path_factory, capsys):
    """The seal alone is enough: with an empty cache and another home nothing is worked on."""
    hook.main(["docs/a.png"])
    monkeypatch.setenv("IMGSHRINK_CACHE_DIR", str(tmp_path_factory.mktemp("another") / "cache"))
    capsys.readouterr()
    assert hook.main(["docs/a.png"]) == 0


def test_file_that_gains_nothing_is_only_marked(folder, capsys):
    """An image with nothing to gain gets the seal, every other byte stays, and the line says so."""
    hook.main(["docs/a.png"])
    finished = unseal((folder / "docs/a.png").read_bytes())
    (folder / "docs/c.png").write_bytes(finished)
    capsys.readouterr()
    assert hook.main(["docs/c.png"]) == 1
    words = "1 image cannot get smaller; sealed (53 bytes at most, pixels unchanged)"
    assert capsys.readouterr().out == f"imgshrink: {words}: git add docs/c.png\n"
    assert (folder / "docs/c.png").read_bytes() == seal(finished, 80)


def test_broken_file_never_fails_the_commit(folder, capsys):
    """A file that ends early is named and left alone, exit code 0."""
    (folder / "docs/cut.jpg").write_bytes(JPEG.read_bytes()[:4000])
    assert hook.main(["docs/cut.jpg"]) == 0
    assert capsys.readouterr().out == "imgshrink: left alone: docs/cut.jpg (file ends early)\n"


def test_broken_file_fails_under_strict(folder):
    """Under strict the same file is exit code 3, which wins over the 1 of a rewritten file."""
    (folder / "docs/cut.jpg").write_bytes(JPEG.read_bytes()[:4000])
    assert hook.main(["--strict", "docs/cut.jpg", "docs/a.png"]) == 3


def test_arguments_are_settings(folder):
    """`args: [--quality=100]` is lossless, told by the seal."""
    assert hook.main(["--quality=100", "docs/b.png"]) == 1
    assert read_seal((folder / "docs/b.png").read_bytes()) == 100


def test_exclude_holds_for_named_files(folder):
    """Patterns of the project file hold although every file is named one by one."""
    (folder / "imgshrink.toml").write_text('exclude = ["docs/"]\n')
    assert hook.main(["docs/a.png"]) == 0
    assert (folder / "docs/a.png").read_bytes() == PNG.read_bytes()


def test_baseline_is_left_alone(folder):
    """Images that a baseline lists are not rewritten."""
    from imgshrink.core.keys import content_hash
    from imgshrink.pipeline.baseline import write_baseline

    write_baseline(folder / "old.txt", [(content_hash(PNG.read_bytes()), "docs/a.png")])
    assert hook.main(["--baseline=old.txt", "docs/a.png"]) == 0
    assert hook.main(["--baseline=old.txt", "docs/b.png"]) == 1


def test_small_files_pass(folder):
    """Files under min_size pass in silence."""
    shutil.copyfile(SMALL, folder / "docs/small.png")
    assert hook.main(["docs/small.png"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--qualty=70", "docs/a.png"], "--qualty is not known"),
        (["--quality"], "--quality needs a value"),
        (["--quality=0", "docs/a.png"], "a whole number from 1 to 100"),
        (["docs/none.png"], "docs/none.png: no such file"),
        (["--baseline=none.txt", "docs/a.png"], "none.txt can't be read as a baseline"),
    ],
)
def test_wrong_use_is_exit_code_2_and_named(folder, capsys, arguments, words):
    """Wrong arguments and missing files are exit code 2 with one line that names them; nothing is written."""
    assert hook.main(arguments) == 2
    assert words in capsys.readouterr().out
    assert (folder / "docs/a.png").read_bytes() == PNG.read_bytes()


def test_parse_splits_settings_and_names():
    """Settings take their value behind `=` or as the next word; patterns add up; behind `--` everything is a name."""
    given, names = hook.parse(
        ["--quality", "70", "a.png", "--exclude=x", "--exclude=y", "--strict", "--", "--quality=1", "b"]
    )
    assert given == {"quality": "70", "exclude": "x\ny", "strict": "true"}
    assert names == ["a.png", "--quality=1", "b"]


def test_settings_that_make_no_sense_for_a_file_are_not_arguments():
    """Settings of a build are not known as arguments."""
    with pytest.raises(SettingsError, match="--on-serve is not known"):
        hook.parse(["--on-serve=true"])


def test_one_finished_image_loads_nothing_heavy(folder):
    """On one sealed image none of the large libraries is loaded, nor the parts of ours that need them."""
    (folder / "done.png").write_bytes(seal(PNG.read_bytes(), 80))
    code = "import sys; from imgshrink.hook import main; assert main(['done.png']) == 0; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    heavy = {"httpx", "pyvips", "diskcache", "click", "mkdocs", "pathspec", "filelock", "imgshrink.session"}
    assert loaded & heavy == set()
    assert "imgshrink.hook" in loaded


def test_program_is_installed(folder):
    """`imgshrink-hook` is a program of the environment, and its exit code is the hook's."""
    done = run(program("imgshrink-hook"), "docs/a.png", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.startswith("imgshrink: 1 image shrunk, 15 kB -> ")


def test_name_that_the_stream_cannot_hold_is_escaped(folder):
    """A name beyond the stream's encoding is escaped, and control characters always are."""
    name = "docs/\u00e4\u0007.png"
    shutil.copyfile(PNG, folder / name)
    done = run(program("imgshrink-hook"), name, cwd=folder, environ={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert r"docs/\xe4\x07.png" in done.stdout


@pytest.mark.parametrize("closed", [">&-", ">/dev/full", "2>&-"])
def test_output_that_nobody_reads(folder, closed):
    """Where its output is closed or full, the hook does its work and answers as ever, without a complaint."""
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    done = run("sh", "-c", f'"{program("imgshrink-hook")}" docs/a.png {closed}', cwd=folder, environ=UNMEASURED)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    assert read_seal((folder / "docs/a.png").read_bytes()) == 80


def test_mode_of_a_file_is_kept(folder):
    """The permissions of a rewritten file stay as they were."""
    (folder / "docs/a.png").chmod(0o640)
    hook.main(["docs/a.png"])
    assert (folder / "docs/a.png").stat().st_mode & 0o777 == 0o640


def test_symlink_is_left_alone(folder):
    """A symlink that is named by hand is neither replaced nor followed."""
    (folder / "link.png").symlink_to("docs/a.png")
    assert hook.main(["link.png"]) == 0
    assert (folder / "link.png").is_symlink()
    assert (folder / "docs/a.png").read_bytes() == PNG.read_bytes()


def test_many_files_are_summed_up(folder, capsys):
    """Over five files, the five largest savings are listed and the folder they share is named."""
    for number in range(6):
        shutil.copyfile(OTHER_PNG, folder / f"docs/{number}.png")
    assert hook.main([f"docs/{number}.png" for number in range(6)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[6] == "  and 1 more"
    assert said[7].startswith("See the largest beside the originals:          ")
    assert said[8].endswith("git add -u -- docs")


@pytest.mark.slow
def test_animation_keeps_its_frames(folder):
    """An animated GIF is still the same animation."""
    from imgshrink.image.sniff import sniff

    shutil.copyfile(GIF, folder / "docs/g.gif")
    hook.main(["docs/g.gif"])
    before, after = sniff(GIF.read_bytes()), sniff((folder / "docs/g.gif").read_bytes())
    assert before is not None
    assert after is not None
    assert (before.duration, before.loop) == (after.duration, after.loop)


def test_never_adds_to_the_index(tmp_path, monkeypatch):
    """The hook leaves git's index alone."""
    repository = make_repository(tmp_path / "repo")
    shutil.copyfile(PNG, repository / "a.png")
    git(repository, "add", "a.png")
    before = git(repository, "ls-files", "--stage")
    monkeypatch.chdir(repository)
    assert hook.main(["a.png"]) == 1
    assert git(repository, "ls-files", "--stage") == before
    assert git(repository, "status", "--porcelain") == "AM a.png\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
def test_interrupted_hook_leaves_every_file_whole(folder, tmp_path):
    """Ctrl-C ends the hook with 130; every file is the whole original or the whole result."""
    heavy = PICTURES / "wled" / "WLED_5VdigitalWiring.png"
    names = [f"docs/heavy{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(heavy.read_bytes() + bytes([number]))
    environ = {**os.environ, "IMGSHRINK_CACHE_DIR": str(tmp_path / "cache"), "IMGSHRINK_JOBS": "1"}
    running = subprocess.Popen([program("imgshrink-hook"), *names], cwd=folder, env=environ)
    until((tmp_path / "cache/claims").exists)
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) == 130
    for number, name in enumerate(names):
        data = (folder / name).read_bytes()
        assert data == heavy.read_bytes() + bytes([number]) or read_seal(data) == 80
