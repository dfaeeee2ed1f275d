"""Python processes that a test starts are seen too, whatever environment they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import PROBED, PYTEST, run

STARTED = {
    "child.py": "import sqlite3\nsqlite3.connect('child.db').execute('create table t (a)')\n",
    "test_it.py": """\
        import os, subprocess, sys

        def test_it():
            subprocess.run([sys.executable, "child.py"], check=True, env=ENVIRONMENT)
        """,
}


@pytest.mark.parametrize("environment", ["None", "{}", "{**os.environ, 'PYTHONPATH': '.'}"])
def test_a_process_with_an_environment_of_its_own_has_the_probes(tmp_path: Path, environment: str) -> None:
    """What it reaches is told, and belongs to the test in which it was started."""
    files = {**STARTED, "test_it.py": STARTED["test_it.py"].replace("ENVIRONMENT", environment)}
    seen = run(tmp_path, files, *PYTEST, "-q")
    opened = seen.one("connection", driver="sqlite3")
    assert (opened["test"], opened["phase"]) == ("test_it.py::test_it", "start")
    assert seen.places(opened)[0].startswith("child.py:2 ")


def test_what_is_no_environment_is_refused_as_before(tmp_path: Path) -> None:
    """Popen is given what it was called with, where that cannot be an environment."""
    program = """\
        import subprocess, sys

        try:
            subprocess.run([sys.executable, "-c", ""], env=7)
        except (AttributeError, TypeError) as error:  # the latter where subprocess hands it on to posix_spawn
            print(type(error), error)
        """
    without = run(tmp_path / "without", {"it.py": program}, "it.py", probes=False)
    assert run(tmp_path / "with", {"it.py": program}, "it.py").output == without.output


CHILD = "import sqlite3; sqlite3.connect('child.db').execute('create table if not exists t (a)')"
CLEARED = """\
    import asyncio, multiprocessing, os, subprocess, sys
    import pytest

    CHILD = {child!r}

    def work():
        exec(CHILD)

    def by_popen():
        subprocess.run([sys.executable, "-c", CHILD], check=True)

    def by_copy():
        subprocess.run([sys.executable, "-c", CHILD], check=True, env=dict(os.environ))

    def by_asyncio():
        async def main():
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD)
            await process.wait()
        asyncio.run(main())

    def by_system():
        assert os.system(f'{{sys.executable}} -c "{{CHILD}}"') == 0

    def by_spawn():
        process = multiprocessing.get_context("spawn").Process(target=work)
        process.start()
        process.join()

    def by_spawnve():
        assert os.spawnve(os.P_WAIT, sys.executable, ["python", "-c", CHILD], {{}}) == 0

    def by_exec():
        child = os.fork()
        if not child:
            os.execve(sys.executable, ["python", "-c", CHILD], os.environ)
        os.waitpid(child, 0)

    def by_clear(monkeypatch):
        for name in list(os.environ):
            monkeypatch.delenv(name)

    def by_another(monkeypatch):
        monkeypatch.setattr(os, "environ", {{}})

    WAYS = by_popen, by_copy, by_asyncio, by_system, by_spawn, by_spawnve, by_exec

    @pytest.mark.parametrize("clear", [by_clear, by_another])
    @pytest.mark.parametrize("start", WAYS)
    def test_it(start, clear, monkeypatch):
        clear(monkeypatch)
        before = dict(os.environ)
        start()
        assert os.environ == before
    """


def test_a_process_that_is_started_without_variables_has_the_probes(tmp_path: Path) -> None:
    """However a test takes the variables away, a Python that it starts takes the probes in, and os.environ stays so."""
    seen = run(tmp_path, {"test_it.py": CLEARED.format(child=CHILD)}, *PYTEST, "-q")
    ways = CLEARED.partition("WAYS = ")[2].partition("\n")[0].split(", ")
    tests = {f"test_it.py::test_it[{way}-{clear}]" for way in ways for clear in ("by_clear", "by_another")}
    assert {event["test"] for event in seen.of("connection", driver="sqlite3")} == tests


LATE = """\
    import os, sqlite3, subprocess, sys
    from multiprocessing import util

    recorder = sys.modules["_isolation_probes.installed"]._installed.recorder
    begun, begin = os.pipe()
    write = recorder.event
    recorder.event = lambda kind, **fields: (kind == "child" and os.read(begun, 1), write(kind, **fields))
    connect = "import os, sqlite3; sqlite3.connect('it.db').execute('select 1'); os.write(%d, b'x')"
    command = [sys.executable, "-c", connect % begin]
    if sys.argv[1] == "Popen":
        subprocess.run(command, pass_fds=[begin])
    else:
        os.waitpid(util.spawnv_passfds(os.fsencode(sys.executable), command, [begin]), 0)
    """


@pytest.mark.parametrize("way", ["Popen", "multiprocessing"])
def test_a_start_is_before_what_is_started_does(tmp_path: Path, way: str) -> None:
    """A process that connects before its parent runs again was started at the time of its start."""
    seen = run(tmp_path, {"it.py": LATE}, "it.py", way)
    assert seen.one("child")["at_s"] < seen.one("connection")["at_s"]


INHERITED = """\
    import os, subprocess, sys

    SHOW = [sys.executable, "-c", "import os; print(os.environ.get('PUT'), os.environ.get('HELD'))"]
    os.environ["HELD"] = "yes"
    os.putenv("PUT", "by putenv")
    os.unsetenv("HELD")
    for preexec_fn in None, lambda: os.environ.__setitem__("PUT", "by preexec_fn"):
        print(subprocess.run(SHOW, stdout=subprocess.PIPE, text=True, preexec_fn=preexec_fn).stdout, flush=True)
    """


def test_an_environment_that_is_inherited_is_left_so(tmp_path: Path) -> None:
    """What os.putenv, os.unsetenv and preexec_fn did reaches a process that is started without an environment."""
    without = run(tmp_path / "without", {"it.py": INHERITED}, "it.py", probes=False)
    assert without.output.split() == ["by", "putenv", "None", "by", "preexec_fn", "None"]
    assert run(tmp_path / "with", {"it.py": INHERITED}, "it.py").output == without.output


SHOWN = """\
    import asyncio, os, subprocess, sys

    def show(words, given, **options):
        shown = subprocess.run(words, env=given, stdout=subprocess.PIPE, text=True, **options).stdout
        print(words, sorted(word for word in shown.split() if not word.startswith("PWD=")), flush=True)

    GIVEN = {"PATH": os.environ["PATH"], "OWN": "1"}
    for words in ["env"], ["printenv"], ["/usr/bin/env", "MORE=2"], ["sh", "-c", "env; echo $PYTHONPATH"]:
        show(words, {"OWN": "1"} if os.sep in words[0] else GIVEN)
    show("env | cat", GIVEN, shell=True)
    show(["env"], GIVEN, close_fds=False)
    if os.fork() == 0:
        os.execve("/usr/bin/env", ["env"], {"OWN": "1"})
    os.wait()
    """


def test_a_program_that_starts_no_other_is_given_what_it_was_given(tmp_path: Path) -> None:
    """`env`, `printenv` and a shell's text of such show the variables of the test, and none of the probes'."""
    without = run(tmp_path / "without", {"it.py": SHOWN}, "it.py", probes=False)
    assert without.output.count("OWN=1") == 7
    assert run(tmp_path / "with", {"it.py": SHOWN}, "it.py").output == without.output


@pytest.mark.parametrize(
    "words", ["env {python} {script}", "sh -c '{python} {script}'", "sh -c '. ./it.sh'", "./ls", "sh it.sh"],
)
def test_whatever_may_start_a_python_is_given_what_carries_the_probes(tmp_path: Path, words: str) -> None:
    """A Python behind `env`, a shell's text or file, or a program's name that is a script's, has the probes."""
    files = {
        "child.py": "import sqlite3; sqlite3.connect('child.db').execute('select 1')\n",
        "it.sh": f"{PROBED} child.py\n",
        "ls": "#!/bin/sh\n. ./it.sh\n",
        "it.py": "import os, shlex, subprocess, sys\nos.chmod('ls', 0o755)\n"
                 f"words = {words!r}.format(python=sys.executable, script='child.py')\n"
                 "subprocess.run(shlex.split(words), env={'PATH': os.environ['PATH']}, check=True)\n",
    }
    assert run(tmp_path, files, "it.py").one("connection")["observed"]["file"].endswith("child.db")


LOOKS = """\
    import inspect, os, pickle, subprocess, sys, warnings

    class Own(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Own([sys.executable, "-c", ""], text=True).communicate()
        subprocess.Popen([sys.executable, "-c", ""], text=True).communicate()
    print([(os.path.basename(one.filename), one.lineno) for one in caught])
    print(inspect.signature(subprocess.Popen), inspect.signature(subprocess.Popen._execute_child))
    print(type(subprocess.Popen), subprocess.Popen[bytes], pickle.loads(pickle.dumps(subprocess.Popen)))
    try:
        subprocess.Popen(["/nowhere"])
    except OSError as error:
        print(repr(error), error.filename)
    """


def test_popen_looks_as_it_did(tmp_path: Path) -> None:
    """Its warnings name the caller's line; its type, signature, subclasses and errors are what they were."""
    command = "-Xwarn_default_encoding", "it.py"
    without = run(tmp_path / "without", {"it.py": LOOKS}, *command, probes=False)
    assert "('it.py', 10)" in without.output
    assert run(tmp_path / "with", {"it.py": LOOKS}, *command).output == without.output


def test_each_process_that_is_started_is_written_down(tmp_path: Path) -> None:
    """A record of what was started, with its number and whether it is a Python, and of one that takes no probes in."""
    program = """\
        import multiprocessing, subprocess, sys

        if __name__ == "__main__":
            for command in [["true"], [sys.executable, "-c", ""], [sys.executable, "-Ic", ""], ["./script"]]:
                process = subprocess.Popen(command)
                process.wait()
                print(process.pid)
            process = multiprocessing.get_context("spawn").Process()
            process.start()
            process.join()
            print(process.pid)
        """
    files = {"it.py": program, "script": "#!/usr/bin/env python3\n"}
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "script").touch(0o755)
    seen = run(tmp_path, files, "it.py")
    started = {event["pid"]: event["python"] for event in seen.of("child")}
    kinds = [False, True, True, True, True]
    assert {int(pid): started[int(pid)] for pid in seen.output.split()} == dict(
        zip(map(int, seen.output.split()), kinds, strict=True)
    )
    (missed,) = seen.of("not_seen", what="child")
    assert "(-I, -E or -S)" in missed["why"]
    assert seen.evidence().problems == ()
