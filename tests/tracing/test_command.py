"""A traced command runs as it would alone: its output, its exit code, its signals, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from kit.errors import TraceError
from kit.processes import runs
from kit.tracing import silent, trace

KIT = Path(__file__).parents[2]
WRITER = "import sqlite3, sys; sqlite3.connect('made.db').execute('create table t (x)'); print('out'); sys.exit(3)"


def kit(folder: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(KIT)}
    return subprocess.run(
        [sys.executable, "-c", "from kit.cli import main; main()", *arguments], cwd=folder, env=environ, text=True,
        capture_output=True, timeout=120, **options,  # type: ignore[call-overload]
    )


def test_output_and_exit_code_are_the_commands_own(tmp_path: Path) -> None:
    """Standard output holds what the command wrote and nothing more, and its exit code is handed on."""
    done = kit(tmp_path, "trace", "--", sys.executable, "-c", WRITER)
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert "made.db" in done.stderr


def test_input_is_the_commands_own(tmp_path: Path) -> None:
    """What is written to the command's input reaches it."""
    done = kit(tmp_path, "trace", "--", sys.executable, "-c", "print(input()[::-1])", input="abc\n")
    assert done.stdout == "cba\n"


def test_a_command_that_a_signal_ends_is_told_as_a_shell_tells_it(tmp_path: Path) -> None:
    """A command that a signal ended gives 128 and the number of the signal."""
    done = kit(tmp_path, "trace", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 15)")
    assert done.returncode == 128 + signal.SIGTERM


def test_a_signal_reaches_the_command(tmp_path: Path) -> None:
    """A signal to the kit is handed on, and the command may end as it likes."""
    script = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('ready', flush=True); "
        "signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from kit.cli import main; main()", "trace", "--", sys.executable, "-c", script],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(KIT)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(60) == 9


@pytest.mark.parametrize("quiet", [True, False], ids=["of a diagnosis", "of a trace"])
def test_a_signal_that_is_ignored_does_not_end_a_run(tmp_path: Path, quiet: bool) -> None:
    """Under nohup a hang-up ends no run of the command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        script = f"import os, signal; os.kill({os.getpid()}, signal.SIGHUP)"
        traced = trace([sys.executable, "-c", script], folder=tmp_path, quiet=quiet)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert traced.returncode == 0


def test_what_a_diagnosis_has_started_ends_with_it(tmp_path: Path) -> None:
    """A signal that ends the kit while it runs the command quietly ends the command, too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"import os, signal; open({str(pipe)!r}, 'w').write(str(os.getpid())); signal.pause()"
    process = subprocess.Popen(
        [sys.executable, "-c", "from kit.cli import main; main()", "diagnose", "--", sys.executable, "-c", script],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(KIT)}, stderr=subprocess.DEVNULL,
    )
    started = int(pipe.read_text())
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project has what the command made in it and nothing of the kit, and the folder for temporary files nothing."""
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    project.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    traced = trace([sys.executable, "-c", WRITER], folder=project, quiet=True)
    assert [connection.driver for connection in traced.evidence.connections] == ["sqlite3"]
    assert os.listdir(project) == ["made.db"]
    assert os.listdir(temporary) == []


def test_a_projects_own_way_to_start_still_runs(tmp_path: Path) -> None:
    """A sitecustomize of the project, and a package of it that is called kit, are found as without the probes."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import builtins; builtins.started = True")
    (tmp_path / "own" / "kit.py").write_text("whose = 'theirs'")
    traced = trace(
        [sys.executable, "-c", "import builtins, kit; print(builtins.started, kit.whose)"], folder=tmp_path, quiet=True,
        environ={**os.environ, "PYTHONPATH": str(tmp_path / "own")},
    )
    assert traced.evidence.output == "True theirs\n"
    assert traced.evidence.processes


def test_a_command_without_probes_is_said_to_be_one(tmp_path: Path) -> None:
    """Where no interpreter took the probes in, that is said, and it is not taken for an answer."""
    traced = trace([sys.executable, "-I", "-c", "print(1)"], folder=tmp_path, quiet=True)
    assert "No probe reported" in next(iter(silent(traced.evidence)))


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A command that cannot be started is named, in one line."""
    with pytest.raises(TraceError, match="no-such-command cannot be started"):
        trace(["no-such-command"], folder=tmp_path)


@pytest.mark.parametrize(
    ("command", "expected"),
    [("no-such-command", 127), ("./no-such-file", 127), ("./folder", 126), ("./text", 126), ("./broken", 126)],
)
def test_a_command_that_does_not_start_ends_as_in_a_shell(command: str, expected: int, tmp_path: Path) -> None:
    """127 where there is none, 126 where it does not run, as `env` and a shell say it; a diagnosis could not run: 2."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("echo no")
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    done = kit(tmp_path, "trace", "--", command)
    assert done.returncode == expected
    assert f"kit: {command} cannot be started" in done.stderr
    assert "Traceback" not in done.stderr
    assert kit(tmp_path, "diagnose", "--", command).returncode == 2


def test_a_script_that_names_no_interpreter_runs_as_in_a_shell(tmp_path: Path) -> None:
    """A file of commands without a first line for the system is run by the shell, with its arguments."""
    (tmp_path / "run").write_text(f'{sys.executable} -c "print(1)"; echo "$1"; exit 5')
    (tmp_path / "run").chmod(0o755)
    done = kit(tmp_path, "trace", "--", "./run", "a b")
    assert (done.returncode, done.stdout) == (5, "1\na b\n")
    assert "0 databases reached" in done.stderr


@pytest.mark.parametrize("command", ["trace", "diagnose"])
def test_a_working_directory_that_is_gone_is_said(command: str, tmp_path: Path) -> None:
    """There is nowhere to run a command: one line says so, and what to do."""
    (tmp_path / "gone").mkdir()
    script = f"import os, sys; os.rmdir(os.getcwd()); sys.argv[1:] = [{command!r}, '--', 'true']; "
    # -P, as the command itself: with the current folder on the path, Python 3.13.0 cannot import socket there.
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{script}from kit.cli import main; main()"], cwd=tmp_path / "gone", text=True,
        env={**os.environ, "PYTHONPATH": str(KIT)}, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("kit: the working directory no longer exists")
    assert len(done.stderr.splitlines()) == 1


def test_a_name_that_is_no_text_can_be_traced(tmp_path: Path) -> None:
    """A project in a folder whose name is bytes of another time has its answer, on the screen and in files."""
    project = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    project.mkdir()
    files = ("--json", "a.json", "--html", "a.html")
    done = kit(project, "trace", "--allow", "made.db", *files, "--", sys.executable, "-c", WRITER)
    assert done.returncode == 3
    assert "\nallowed: made.db" in done.stderr
    assert sorted(os.listdir(project)) == ["a.html", "a.json", "made.db"]


def test_a_closed_standard_error_takes_no_exit_code(tmp_path: Path) -> None:
    """Where nobody can read the answer, it does not go to the command's output, and the command's exit code stands."""
    own = f"{sys.executable} -c 'from kit.cli import main; main()'"
    script = f'exec 2>&-; exec {own} trace -- {sys.executable} -c "$1"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", WRITER], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(KIT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "out\n")


def test_a_run_that_is_not_guarded_says_so_before_it_begins(tmp_path: Path) -> None:
    """What the tests reach is reached; only where pytest has the guard on is nothing said of that."""
    assert "not guarded" in kit(tmp_path, "trace", "--", sys.executable, "-c", "pass").stderr
    assert "not guarded" in kit(tmp_path, "diagnose", "--", sys.executable, "-c", "pass").stderr
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --db-guard\n")
    assert "not guarded" not in kit(tmp_path, "trace", "--", sys.executable, "-c", "pass").stderr


DAEMON = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "w") as pipe:
            pipe.write(str(os.getpid()))
        signal.pause()
    os._exit(0)
os.wait()
"""


def daemon(tmp_path: Path) -> str:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "daemon.py").write_text(DAEMON)
    return str(pipe)


def test_what_runs_on_in_a_session_of_its_own_ends_at_the_limit(tmp_path: Path) -> None:
    """A process that has left its group, and whose parent has ended, is found and ended with the others."""
    pipe = daemon(tmp_path)
    started: list[int] = []
    reader = threading.Thread(target=lambda: started.append(int(Path(pipe).read_text())))
    reader.start()
    waiting = "import signal; signal.pause()"
    command = ["/bin/sh", "-c", f'{sys.executable} daemon.py {pipe}; {sys.executable} -c "{waiting}"']
    traced = trace(command, folder=tmp_path, quiet=True, timeout_s=4.0)
    reader.join()
    assert traced.evidence.timed_out
    assert not runs(started[0])


def test_a_process_that_outlives_the_command_is_named(tmp_path: Path) -> None:
    """What a daemon does once the command has ended is not seen; it goes on, as without the kit."""
    pipe = daemon(tmp_path)
    with (tmp_path / "said").open("w") as said_to:  # a pipe would be held open by the daemon
        process = subprocess.Popen(
            [sys.executable, "-m", "kit", "trace", "--", sys.executable, "daemon.py", pipe], cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(KIT)}, stderr=said_to,
        )  # fmt: skip
    started = int(Path(pipe).read_text())
    process.wait(120)
    os.kill(started, signal.SIGKILL)
    said = " ".join((tmp_path / "said").read_text().split())
    assert f"process {started} (a fork of the command) kept running after the command had ended" in said


def test_a_time_limit_ends_all_that_was_started(tmp_path: Path) -> None:
    """At its limit a quiet run is ended with its children, and says so."""
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    traced = trace([sys.executable, "-c", script], folder=tmp_path, quiet=True, timeout_s=2.0)
    assert traced.evidence.timed_out
    assert traced.returncode == 124


def test_the_first_run_of_a_diagnosis_ends_at_its_limit(tmp_path: Path) -> None:
    """A suite that hangs is ended at the limit that was announced; what it wrote is shown, and nothing is proved."""
    script = "import time; print('connecting to replica', flush=True); time.sleep(600)"
    done = kit(tmp_path, "diagnose", "--timeout-first", "2", "--", sys.executable, "-c", script)
    assert done.returncode == 3
    assert "at most 2 s" in done.stderr
    assert "ended at its time limit, after " in done.stdout  # a busy machine is later
    assert "connecting to replica" in done.stdout


LEAVES_ROOT = """\
import os, sqlite3, subprocess, sys
if sys.argv[1:]:
    subprocess.run([sys.executable, __file__], check=True)
else:
    os.chdir("/")
    if os.geteuid() == 0:  # nobody else can become another user
        os.setgroups([]), os.setgid(65534), os.setuid(65534)
    sqlite3.connect(":memory:").execute("select 1")
"""


@pytest.mark.parametrize("words", [(), ("as a child",)], ids=["the command", "a child"])
def test_a_program_that_changes_its_user_is_recorded_to_its_end(tmp_path: Path, words: tuple[str, ...]) -> None:
    """What root's program does as another user is seen, and its end."""
    (tmp_path / "it.py").write_text(LEAVES_ROOT)
    ended = kit(tmp_path, "trace", "--", sys.executable, "it.py", *words)
    assert "it.py:8 <module>" in ended.stderr + ended.stdout
    assert "without a report" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("command", ["trace", "diagnose"])
def test_a_command_does_not_outlive_a_kit_that_was_killed(tmp_path: Path, command: str) -> None:
    """SIGKILL of the kit ends what it runs and what that has started, and nothing watches on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    script = (
        "import os, signal, subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, start_new_session=True); "
        f"child.stdout.readline(); open({str(pipe)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from kit.cli import main; main()", command, "--", sys.executable, "-c", script],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(KIT)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    started = [int(pid) for pid in pipe.read_text().split()]
    watchers = [one for one in psutil.Process(process.pid).children() if one.pid not in started]
    assert len(watchers) == 1
    followed = [psutil.Process(pid) for pid in started]
    process.kill()
    process.wait()
    assert psutil.wait_procs([*followed, *watchers], timeout=120)[1] == []


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("trace", ("--stop",), ("--stop without --allow", "--allow :memory:")),
        ("diagnose", ("--stop",), ("--stop without --allow", "--allow :memory:")),
        ("trace", ("--allow-driver", "pyodbc"), ("--allow-driver without --allow", "name the databases")),
        ("diagnose", ("--stop", "--yes", "--allow", "test.db"), ("contradict", "leave one of them out")),
    ],
)
def test_a_guard_that_cannot_be_meant_is_refused_before_anything_is_run(
    tmp_path: Path, command: str, options: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """What is missing, and what to do, in one line; the command is not run."""
    done = kit(tmp_path, command, *options, "--", sys.executable, "-c", "open('ran', 'w')")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert all(part in done.stderr for part in said)
    assert not (tmp_path / "ran").exists()


def test_a_module_that_cannot_be_collected_is_not_called_right(tmp_path: Path) -> None:
    """No test of it was run: the answer names it, and does not say that nothing is wrong."""
    (tmp_path / "test_broken.py").write_text("import there_is_no_such_module\n")
    done = kit(tmp_path, "trace", "--", sys.executable, "-m", "pytest")
    assert "Nothing wrong was found" not in done.stderr
    assert "test_broken.py could not be collected: no test of it was run" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_a_quiet_run_is_said(tmp_path: Path, number: signal.Signals) -> None:
    """What ended `kit diagnose` during its first run is its last line, as everywhere, and its exit code."""
    script = f"import os, time; os.kill(os.getppid(), {int(number)}); time.sleep(60)"
    done = kit(tmp_path, "diagnose", "--", sys.executable, "-c", script)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (128 + number, f"kit: ended by {number.name}")
