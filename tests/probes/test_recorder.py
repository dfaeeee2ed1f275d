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
from unittest.mock import Mock

import pytest

from kit.probes import own, record_file
from kit.probes.context import CURRENT
from kit.probes.recorder import REPEATS_AT_MOST, Recorder
from tests.probes.seen import PROBED, environment, injected, read, run


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


def test_a_fork_is_before_what_its_parent_does_next(tmp_path: Path) -> None:
    """A child that runs only after its parent went on was forked at the time of the fork, and not when it ran."""
    seen = run(
        tmp_path,
        {
            "it.py": """\
            import os, sys
            recorder = sys.modules["_isolation_probes.installed"]._installed.recorder
            ours, theirs = os.pipe()
            begin = recorder.after_fork
            recorder.after_fork = lambda: (os.read(ours, 1), begin())
            recorder.event("before")
            child = os.fork()
            if not child:
                recorder.event("child")
                os._exit(0)
            recorder.event("after")
            os.write(theirs, b"x")
            os.waitpid(child, 0)
        """
        },
        "it.py",
    )
    at_s = [seen.one(kind)["at_s"] for kind in ("before", "fork", "after", "child")]
    assert at_s == sorted(at_s)


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
        [PROBED, "it.py"], cwd=project, env={**environment(), **injected(seen)}, capture_output=True, timeout=60
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


# Each leaves the program without the files that it did not open itself, as daemons, supervisors and shells do.
CLOSING = {
    "a few": "os.closerange(3, 256)",
    "all": "os.closerange(3, 4096)",
    "each that is open": "[close(int(number)) for number in os.listdir('/proc/self/fd') if int(number) > 2]",
    "onto each": "[os.dup2(own, number) for number in open_numbers() if number != own]",
    "in a child": "os.fork() and os._exit(os.waitpid(-1, 0)[1] >> 8); os.setsid(); os.closerange(3, 4096)",
    "in a child after it wrote": "os.fork() and os._exit(os.waitpid(-1, 0)[1] >> 8); use(); os.closerange(3, 4096)",
    "before a fork": "os.closerange(3, 4096); own = fill(); os.fork() and os._exit(os.waitpid(-1, 0)[1] >> 8)",
}  # fmt: skip


@pytest.mark.parametrize("closing", CLOSING.values(), ids=CLOSING)
def test_a_program_that_closes_files_keeps_its_own(tmp_path: Path, closing: str) -> None:
    """What stands where the record was open is neither written to nor closed, and the record goes on by its path."""
    files = {
        "it.py": f"""\
            import os, sqlite3
            with sqlite3.connect("orders.db") as connection:
                connection.execute("create table orders (x)")
                connection.executemany("insert into orders values (?)", [(n,) for n in range(500)])
            connection.close()

            def close(number):
                try:
                    os.close(number)
                except OSError:
                    pass

            def open_numbers():
                return [int(number) for number in os.listdir("/proc/self/fd") if int(number) > 2]

            def use():
                return sqlite3.connect(":memory:").execute("select 1").fetchone()

            def fill():
                while max(numbers := [os.open("pid", os.O_RDWR | os.O_CREAT) for _ in range(8)]) < 1000:
                    pass
                return numbers[0]

            use()
            own = os.open("pid", os.O_RDWR | os.O_CREAT)
            {closing}
            fill()
            database = sqlite3.connect("orders.db")
            os.write(os.open("pid", os.O_RDWR), b"42")
            use()
            assert database.execute("select count(*) from orders").fetchone() == (500,)
            assert not [number for number in open_numbers() if number < 1000 and os.fstat(number) is None]
            use()
            """
    }
    seen = run(tmp_path, files, "it.py")
    assert (seen.folder / "pid").read_bytes() == b"42"
    assert (seen.folder / "orders.db").read_bytes().startswith(b"SQLite format 3")
    assert len([event for event in seen.of("connection") if event["configured"] == ":memory:"]) >= 3
    assert len(seen.of("end")) == 1
    assert seen.of("not_seen") == []


@pytest.mark.parametrize("limit", [None, 29])
def test_a_program_has_no_more_files_open_than_without(tmp_path: Path, limit: int | None) -> None:
    """It, a forked child and a started one count the same files, and are given the same numbers, also under a limit."""
    files = {
        "it.py": f"""\
            import os, resource, sqlite3, subprocess, sys
            if {limit}:
                resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            def show():
                sqlite3.connect(":memory:").close()
                print(sorted(os.listdir("/proc/self/fd"), key=int), flush=True)
                print([os.open("/", os.O_RDONLY) for _ in range(3)], flush=True)
            show()
            if len(sys.argv) == 1:
                if os.fork() == 0:
                    show()
                    os._exit(0)
                os.wait()
                subprocess.run([sys.executable, __file__, "started"])
            """
    }
    without, seen = (run(tmp_path / name, files, "it.py", probes=name == "seen") for name in ("plain", "seen"))
    assert seen.output == without.output
    assert without.output.count("\n") == 6
    assert len(seen.of("end")) == 2


def test_what_cannot_be_written_for_now_waits(tmp_path: Path) -> None:
    """Under a limit on the size of files, also in mid-line, the record is behind, and whole once the limit is off."""
    files = {
        "it.py": """\
            import os, resource, sqlite3
            sqlite3.connect(":memory:").execute("select 1")
            (record,) = [os.path.join(os.environ["ISOLATION_PROBES_DIR"], name)
                         for name in os.listdir(os.environ["ISOLATION_PROBES_DIR"])]
            no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(record) + 50, no_limit[1]))
            for number in range(19):
                sqlite3.connect(":memory:").execute("select 1")
            print(os.path.getsize(record) - resource.getrlimit(resource.RLIMIT_FSIZE)[0])
            resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)
            """
    }
    seen = run(tmp_path, files, "it.py")
    assert seen.output == "0\n"
    assert len(seen.of("connection")) == len(seen.of("use")) == 20
    assert seen.of("not_seen") == []
    assert len(seen.of("end")) == 1


def test_what_is_lost_is_said(folder: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that cannot be kept until they can be written are counted, and that is written down when it can be."""
    monkeypatch.setattr(record_file, "WAITING_AT_MOST", 1000)
    recorder.plain("thing")
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(own.os, "write", Mock(side_effect=full))
        for _ in range(50):
            recorder.plain("thing")
    recorder.plain("thing")
    (said,) = events(folder, "not_seen")
    lost = 52 - len(events(folder, "thing"))
    assert 0 < lost < 50
    assert said["what"] == "record"
    assert said["why"] == f"{lost} lines could not be written: OSError: {full.strerror}"


def test_an_event_that_cannot_be_written_is_said(folder: Path, recorder: Recorder) -> None:
    """An event that fails as it is put into words is no end of the record, and is counted."""
    recorder.event("thing", nested=(nested := []))
    for _ in range(100_000):
        nested = [nested]
    recorder.event("thing", nested=nested)
    recorder.event("thing")
    (said,) = events(folder, "not_seen")
    assert said["why"].startswith("1 lines could not be written: RecursionError")
    assert len(events(folder, "thing")) == 2


def test_a_file_that_is_replaced_is_left(folder: Path, recorder: Recorder) -> None:
    """Another file at the record's path is not written to, and the recording ends."""
    recorder.event("thing")
    (path,) = folder.iterdir()
    path.rename(path.with_suffix(".old"))
    path.write_text("mine")
    recorder.event("thing")
    assert path.read_text() == "mine"
    assert recorder._closed


def test_nothing_of_a_value_is_called(folder: Path, recorder: Recorder) -> None:
    """A value is written by what it is: no method that the program gave its class is called for it."""

    class Never:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def never(self, *_: Any) -> Any:
            raise AssertionError

        __repr__ = __str__ = __iter__ = __len__ = __bool__ = __hash__ = never  # type: ignore[assignment]

    class Text(str):
        __slots__ = ()
        __getattribute__, __str__, __contains__ = Never.__getattribute__, Never.never, Never.never  # type: ignore

    class Number(int):
        __repr__ = Never.never  # type: ignore[assignment]

    recorder.event("thing", values=[Never(), Text("x://"), Number(3), {"a": Text("b")}, 1.5, float("nan"), {7}])
    assert events(folder, "thing")[0]["values"] == ["<Never>", "x://", 3, {"a": "b"}, 1.5, None, [7]]


def test_a_closed_recorder_is_silent(recorder: Recorder, folder: Path) -> None:
    """After its end nothing more is written."""
    recorder.event("thing")
    recorder.close()
    recorder.event("thing")
    recorder.plain("thing")
    assert len(events(folder, "thing")) == 1


def test_what_has_the_name_of_a_secret_is_never_written(recorder: Recorder, folder: Path) -> None:
    """A process's own arguments, nested values and texts of any shape lose their secrets as they are written."""
    recorder.event("thing", stack=(), argv=["run", "--db-pass", "Zq7-xW9"], deep={"api_key": "Zq7-xW9"},
                   said="create role x login password 'Zq7-xW9'", name="DB_PASS", value="Zq7-xW9")  # fmt: skip
    [event] = events(folder, "thing")
    assert event["argv"] == ["run", "--db-pass", "***"]
    assert event["deep"] == {"api_key": "***"}
    assert "Zq7-xW9" not in str(event)


def test_what_a_process_was_started_with_as_a_secret_is_known_in_any_text(folder: Path, tmp_path: Path) -> None:
    """The value of a variable with the name of a secret goes from all that is written, wherever the program puts it."""
    program = tmp_path / "it.py"
    program.write_text("import os, sqlite3\nsqlite3.connect('Hidden-Value7.db').execute('select 1')\n")
    probes = {"PYTHONPATH": str(Path(own.__file__).parent / "inject"), "ISOLATION_PROBES_DIR": str(folder)}
    environ = {**os.environ, **probes, "MY_API_KEY": "Hidden-Value7", "ISOLATION_PROBES_EPOCH": "0"}
    subprocess.run([sys.executable, str(program), "--token", "Hidden-Value7"], env=environ, cwd=tmp_path, check=True)
    texts = [path.read_text() for path in folder.iterdir()]
    assert texts
    assert "***.db" in "".join(texts)
    assert "Hidden-Value7" not in "".join(texts)


LIMITED = """\
import resource, signal, sqlite3
signal.signal(signal.SIGXFSZ, lambda *_: print("the program's handler was called"))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
print(sqlite3.connect(":memory:").execute("select 1").fetchone())
"""


def test_a_limit_on_the_size_of_files_sends_the_program_no_signal(tmp_path: Path) -> None:
    """Where the program limits the size of its files, no line is written beyond that, so that no signal comes of it."""
    seen = run(tmp_path, {"it.py": LIMITED}, "it.py")
    assert seen.output == "(1,)\n"
