from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.probes.context import CURRENT
from kit.probes.recorder import REPEATS_AT_MOST, Recorder
from tests.probes.seen import carried, environment, read, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


@pytest.fixture
def recorder(folder: Path) -> Iterator[Recorder]:
    recorder = Recorder(str(folder), 0.0)
    yield recorder
    recorder.close()
    CURRENT.reset()


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in read(folder) if event["kind"] == kind]


def test_an_event_is_one_line_with_its_frames(recorder: Recorder, folder: Path) -> None:
    """An event has its kind, time, phase and fields, and the frames that led to it, which are written once."""
    for _ in range(2):
        recorder.event("thing", number=7)
    found = events(folder, "thing")
    assert [(event["number"], event["phase"]) for event in found] == [(7, "start")] * 2
    assert found[0]["frames"][0][2] == "test_an_event_is_one_line_with_its_frames"
    assert "".join(path.read_text() for path in folder.iterdir()).count('"kind":"stack"') == 1


def test_nothing_is_written_where_nothing_happens(recorder: Recorder, folder: Path) -> None:
    """A process that has nothing to tell leaves no file."""
    assert list(folder.iterdir()) == []


def test_files_are_their_owners_alone(recorder: Recorder, folder: Path) -> None:
    """Only the user may read what was written down."""
    recorder.plain("thing")
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_repetitions_are_counted_not_written(recorder: Recorder, folder: Path) -> None:
    """What one place does again and again is written so many times and counted; another test begins anew."""
    CURRENT.enter("call", "one")
    for _ in range(REPEATS_AT_MOST + 5):
        recorder.event("thing")
    for number in range(3):
        recorder.event("thing", apart=(number,))
    CURRENT.enter("call", "two")
    recorder.event("thing")
    assert len(events(folder, "thing")) == REPEATS_AT_MOST + 3 + 1
    assert recorder.count_left_out() == {"thing": 5}


def test_a_forked_child_has_a_file_of_its_own(folder: Path, tmp_path: Path) -> None:
    """After a fork each process writes to its own file, though another thread held the lock as it forked."""
    seen = run(
        tmp_path / "run",
        {
            "it.py": """\
            import os, sys, threading
            installed = sys.modules["_isolation_probes.installed"]
            recorder = installed._installed.recorder
            recorder.event("before")
            held, done = threading.Event(), threading.Event()
            def hold():
                with recorder._lock:
                    held.set()
                    done.wait()
            threading.Thread(target=hold).start()
            held.wait()
            child = os.fork()
            if not child:
                recorder.event("child")
                os._exit(0)
            _, status = os.waitpid(child, 0)
            done.set()
            recorder.event("parent", status=status)
        """
        },
        "it.py",
    )
    by_file = {event["file_of_process"] for event in seen.of("child")}, {
        event["file_of_process"] for event in seen.of("before") + seen.of("parent")
    }
    assert seen.one("parent")["status"] == 0
    assert [len(files) for files in by_file] == [1, 1]
    assert by_file[0] != by_file[1]
    assert [event["forked"] for event in seen.of("process")].count(True) == 1


def test_a_killed_process_leaves_all_it_saw(tmp_path: Path) -> None:
    """What happened before SIGKILL is there, in whole lines, and no end is claimed."""
    project, seen = tmp_path / "project", tmp_path / "seen"
    project.mkdir()
    seen.mkdir()
    (project / "it.py").write_text(
        textwrap.dedent("""\
        import os, sqlite3
        for number in range(50):
            sqlite3.connect(f"{number}.db").execute("create table t (x)")
        print("now", flush=True)
        os.kill(os.getpid(), 9)
    """)
    )
    done = subprocess.run(
        [sys.executable, "it.py"], cwd=project, env={**environment(), **carried(seen)}, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    found = list(read(seen))
    assert len([event for event in found if event["kind"] == "connection"]) == 50
    assert len([event for event in found if event["kind"] == "use"]) == 50
    assert not [event for event in found if event["kind"] == "end"]


def test_no_password_is_written(recorder: Recorder, folder: Path) -> None:
    """Passwords in URLs, settings and nested values are hidden, and the line is still JSON."""
    recorder.event("thing", url="postgresql://me:s3cret@host/db", nested=[["x", {"dsn": "password='s3 cret' host=h"}]])
    recorder.plain("thing", told='password="s3cret" and "quotes"', argv=["--url=mysql://me:s3cret@h/d"])
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "s3" not in text
    assert len([json.loads(line) for line in text.splitlines()]) == 4
    assert events(folder, "thing")[0]["url"] == "postgresql://me:***@host/db"


def test_a_lost_folder_harms_nobody(recorder: Recorder, folder: Path) -> None:
    """Where there is nowhere to write, recording ends and the program goes on."""
    shutil.rmtree(folder)
    recorder.event("thing")
    recorder.plain("thing")
    assert not folder.exists()


def test_a_full_disk_harms_nobody(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error as a line is written ends the recording, and is not raised."""
    recorder.event("thing")

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    recorder.event("thing")
    monkeypatch.undo()
    recorder.event("thing")
    assert recorder._closed


def test_a_closed_recorder_is_silent(recorder: Recorder, folder: Path) -> None:
    """After its end nothing more is written."""
    recorder.event("thing")
    recorder.close()
    recorder.event("thing")
    recorder.plain("thing")
    assert len(events(folder, "thing")) == 1
