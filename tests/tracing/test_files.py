"""An answer's file is written whole or not at all, and whether it can be is known before anything is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import TraceError
from kit.tracing import check, files
from tests.tracing.test_command import KIT, WRITER, kit


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    """What was there is gone only when all of the new is there; nothing lies beside it."""
    path = tmp_path / "answer.json"
    path.write_text("before")
    path.chmod(0o640)
    files.check(path)
    assert path.read_text() == "before"
    files.write(path, b"after")
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["answer.json"]


def test_an_earlier_answer_outlives_a_write_that_fails(tmp_path: Path) -> None:
    """On a full disk the file is as it was, and nothing lies beside it."""
    path = tmp_path / "answer.json"
    path.write_text("before")
    script = (
        "import resource, signal; from pathlib import Path; from kit.tracing import files; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        f"files.write(Path({str(path)!r}), b'x' * 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=KIT)
    assert "TraceError" in done.stderr
    assert "make room there" in done.stderr
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["answer.json"]


def test_a_link_stays_a_link_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What a path leads to is written, and the way there stays as it was."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    files.check(tmp_path / "link")
    files.write(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"1"
    files.check(Path("/dev/null"))
    files.write(Path("/dev/null"), b"1")
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("option", ["--json", "--html"])
@pytest.mark.parametrize("command", ["trace", "diagnose"])
@pytest.mark.parametrize("where", ["nowhere/answer", "/proc/answer"])
def test_what_cannot_be_written_is_said_before_anything_is_run(
    command: str, option: str, where: str, tmp_path: Path
) -> None:
    """A suite of an hour is not run for an answer that has no place."""
    done = kit(tmp_path, command, option, where, "--", sys.executable, "-c", WRITER)
    assert done.returncode == 2
    assert f"{where} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_the_answer_is_shown_and_the_exit_code_kept_where_a_file_fails_later(tmp_path: Path) -> None:
    """A command that takes the answer's folder away keeps its exit code, and the answer is on the screen."""
    (tmp_path / "out").mkdir()
    script = "import os, sqlite3, sys; sqlite3.connect('made.db'); os.rmdir('out'); sys.exit(7)"
    done = kit(tmp_path, "trace", "--json", "out/answer.json", "--", sys.executable, "-c", script)
    assert done.returncode == 7
    assert "made.db" in done.stderr
    assert "out/answer.json cannot be written" in done.stderr


@pytest.mark.parametrize("command", ["trace", "diagnose"])
def test_a_command_that_takes_its_folder_away_has_its_answer(command: str, tmp_path: Path) -> None:
    """Files are named whole before the command runs; a re-run that has nowhere to run shows nothing."""
    project = tmp_path / "project"
    project.mkdir()
    script = "import os, shutil, sqlite3; sqlite3.connect('prod.db'); shutil.rmtree(os.getcwd())"
    answer = ("--allow", "test.db", "--json", "../answer.json")
    done = kit(project, command, *answer, "--", sys.executable, "-c", script)
    assert done.returncode == {"trace": 0, "diagnose": 3}[command], done.stderr
    assert "prod.db" in (tmp_path / "answer.json").read_text()
    assert ("no longer exists" in " ".join(done.stdout.split())) is (command == "diagnose")
    assert "Traceback" not in done.stderr


def test_an_answer_goes_to_standard_output_where_that_is_named(tmp_path: Path) -> None:
    """/dev/stdout is no file to be replaced."""
    done = kit(tmp_path, "trace", "--json", "/dev/stdout", "--", sys.executable, "-c", "pass")
    assert '"format": 2' in done.stdout


def test_a_file_for_two_answers_is_refused() -> None:
    """A page over the JSON of the same answer would leave one of them."""
    with pytest.raises(TraceError, match="--json and --html"):
        check(Path("a"), Path("a"))


def test_a_folder_is_no_file_for_an_answer(tmp_path: Path) -> None:
    """From Python, too, it is said before anything is run; what is in the folder stays."""
    (tmp_path / "kept").touch()
    with pytest.raises(TraceError, match="is a folder"):
        files.check(tmp_path)
    assert os.listdir(tmp_path) == ["kept"]


def test_two_answers_in_one_file_are_refused(tmp_path: Path) -> None:
    """However the name is written, the second answer does not take the place of the first."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("answer")
    with pytest.raises(TraceError, match="name one file"):
        check(tmp_path / "answer", tmp_path / "link")
    with pytest.raises(TraceError, match=r"--json and --html name one file, .*answer\b"):
        check(tmp_path / "answer", tmp_path / "there" / ".." / "answer")
    assert sorted(os.listdir(tmp_path)) == ["link", "there"]


def test_a_page_without_its_library_is_refused_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer as JSON needs no library; for the page, the one that is missing is named."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert check(tmp_path / "answer.json", None) == (tmp_path / "answer.json", None)
    with pytest.raises(TraceError, match=r"--html needs jinja2.*pip install jinja2"):
        check(None, tmp_path / "answer.html")
