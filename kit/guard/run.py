"""The guard of a run of pytest: no test reaches a database off the list, and no refusal goes unnoticed.

A refused connection raises where it was requested. Whether or not that error gets through (an application may catch it,
a thread cannot report it), the refusal is also kept, and written to a file by the processes that this one starts; after
each phase of a test both are looked at, and the phase fails.

The guard stays in this process until the interpreter's end. What is refused after the last test (in a thread that is
left, by `atexit`) is reported on standard error as it happens, and the process ends with a status of its own. Where
pytest was called by a program that goes on (`pytest.main`), the guard is taken out as the run ends, and comes back for
what the run has left to be done at the program's end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kit.probes.allow import AllowList, MalformedEntry
from kit.probes.early import opened_before
from kit.probes.gate import Refusal, message
from kit.probes.guarding import Guard
from kit.probes.last_word import end_with
from kit.probes.own import atexit, json, os, sys
from kit.probes.refusals import NOTE, appending_to, say

_SECTION = "db-guard"
_INJECTED = "_isolation_probes"  # the name of the probes where another process loaded them into this one
_LATE = "after the last test"
_AGAIN = "refused, although nothing failed in the end (a test was run again, or a report was changed)"
_NOTES_AT_MOST = 5
_PYTHON = "python"  # in db_guard_drivers: any that is started without the guard
_SUCCEEDED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class GuardedRun:
    """The plugin of one run, from its own loading to the end; each worker of pytest-xdist has its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._controllers = _take_out_the_controllers()  # file: what was refused in its time is told by itself
        self._allow, self._unjudged = allow_list(config), config.getini("db_guard_drivers")
        self._notes: list[str] = []
        self._reported: list[str] = []  # in the reports of tests, of which another plugin may make what it likes
        self._number, name = tempfile.mkstemp(prefix="db-guard-", suffix=".jsonl")
        self._file, self._read, self._open = Path(name), 0, True
        self._pid, self._told, self._late = os.getpid(), list[Refusal](), list[str]()
        self._ended, self._at_once = False, False
        self._exit_status: int | None = None
        self._by_command = _is_the_command()
        self._guard = self._put_in()
        self._before = opened_before(self._guard)
        self.is_checked = False
        atexit.register(self._finally)  # those that the tests register are called before it

    def _put_in(self) -> Guard:
        guard = Guard(
            self._allow, str(self._file), self._tell, (self._pid, self._number), self._unjudged, self._note,
        )
        guard.carry()
        return guard

    def check_what_was_before(self) -> None:
        """Refuse a run in which something had connected already, or holds what connects unguarded: UsageError."""
        self.is_checked = True
        if self._before:
            raise pytest.UsageError("--db-guard was loaded too late. " + " ".join(self._before))

    def _tell(self, refusal: Refusal) -> None:
        """Keep what was refused; a child that was forked writes it to the file, as any other process does."""
        if os.getpid() != self._pid:
            appending_to(str(self._file), (self._pid, self._number))(refusal)
        elif not self._at_once:
            self._told.append(refusal)
        else:
            self._tell_late([refusal])

    def _note(self, text: str) -> None:
        """Keep that a Python was started without the guard; a child that was forked writes it to the file."""
        if os.getpid() == self._pid:
            self._notes.append(text)
        else:
            appending_to(str(self._file), (self._pid, self._number))({NOTE: text})

    @property
    def _is_left_open(self) -> bool:
        """Whether something was started without the guard, and nobody has allowed that."""
        return bool(self._notes) and _PYTHON not in self._unjudged

    def end(self) -> None:
        """Take the guard out of this process, unless it ends with the run."""
        if self._ended:
            return
        self._ended = self._at_once = True
        is_worker = hasattr(self._config, "workerinput")
        if not is_worker:
            self._controllers = None
        self._tell_late(self._taken())
        if not self._by_command and not is_worker:
            self._guard.remove()
            self._close()
            atexit.register(self._again)

    def _tell_late(self, refusals: list[Refusal]) -> None:
        """Tell the controller, where there is one; else say it, and end the process with a status of failure."""
        if self._controllers is not None:
            for refusal in refusals:
                self._controllers(refusal)
            return
        for text in _messages(refusals):
            say(f"db-guard: {_LATE}: {text}")
        if refusals and self._exit_status in (None, *_SUCCEEDED):
            end_with(pytest.ExitCode.TESTS_FAILED)

    def _again(self) -> None:
        """At the end of a program that went on after the run: what the run has left to be done is guarded, too."""
        if os.getpid() == self._pid:
            self._number, name = tempfile.mkstemp(prefix="db-guard-", suffix=".jsonl")
            self._file, self._read, self._open = Path(name), 0, True
            self._guard = self._put_in()

    def _finally(self) -> None:
        if os.getpid() == self._pid and self._open:
            self._tell_late(self._taken())
            if not self._by_command:
                self._guard.remove()
            self._close()

    def _close(self) -> None:
        self._open = False
        os.close(self._number)
        self._file.unlink(missing_ok=True)
        self._guard.forget_servers()

    # --- while tests are collected and run ---------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        """Fail what was being imported when a connection was refused."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Fail the phase of the test in which a connection was refused, also where the test expects to fail."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    def _fail(self, report: Any) -> None:
        found = self._refused()
        if not found:  # nearly always
            return
        self._reported += found
        if report.outcome == "failed":
            if not all(text in _last_words(report) for text in found):
                report.sections.append((_SECTION, "\n".join(found)))
            return
        report.outcome, report.longrepr = "failed", "\n".join(f"db-guard: {text}" for text in found)
        vars(report).pop("wasxfail", None)

    def _refused(self) -> list[str]:
        """Return what has been refused since this was last asked, each message once."""
        return _messages(self._taken())

    def _taken(self) -> list[Refusal]:
        found = []
        while self._told:
            found.append(self._told.pop(0))
        if self._open and os.fstat(self._number).st_size != self._read:
            found += self._taken_elsewhere()
        return found

    def _taken_elsewhere(self) -> list[Refusal]:
        """Read the file by its number, for its name may have been taken away."""
        lines = os.pread(self._number, os.fstat(self._number).st_size - self._read, self._read)
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        found = [json.loads(line) for line in whole.splitlines()]
        self._notes += [one[NOTE] for one in found if NOTE in one]
        return [one for one in found if NOTE not in one]

    # --- at the end --------------------------------------------------------------------------------------------------

    def pytest_collection_finish(self) -> None:
        """Stop a run in which a driver cannot be watched."""
        self._guard.hooks.catch_up()
        if self._guard.failures:
            raise pytest.UsageError(_blind(self._guard.failures))

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Fail a run in which a connection was refused when no test was left to fail.

        This comes after what all others do here, pytest-xdist too, which ends its workers.
        """
        yield
        self._late += self._refused()
        if self._guard.failures:
            self._late.append(_blind(self._guard.failures))
        if hasattr(session.config, "workeroutput"):
            told = {"db_guard": self._late, "db_guard_notes": self._notes, "db_guard_reported": self._reported}
            session.config.workeroutput.update(told)
        elif session.exitstatus not in _SUCCEEDED:
            self._reported.clear()  # what was reported has made the run fail
        elif self._late or self._reported or self._is_left_open:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._exit_status = int(session.exitstatus)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist says at its end."""
        told = getattr(node, "workeroutput", None) or {}
        self._late += told.get("db_guard", [])
        self._notes += told.get("db_guard_notes", [])
        self._reported += told.get("db_guard_reported", [])

    def pytest_report_header(self) -> str:
        """Say that the guard is on, and what it lets through."""
        allow = self._guard.allow
        said = f"db-guard: on, allowed: {', '.join(allow.entries) or 'databases in memory only'}"
        all_of = [f"{entry} allows {what}" for entry, what in allow.lets_all_through()]
        all_of += [f"{name} may connect anywhere (db_guard_drivers)" for name in self._unjudged]
        return f"{said}\ndb-guard: {'; '.join(all_of)}" if all_of else said

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what no test's report shows, and which entries were of no use."""
        idle = self._guard.idle() if self._open else ()
        if idle and terminalreporter.stats.get("passed"):
            terminalreporter.line(f"db-guard: nothing was reached that matches {', '.join(idle)} (db_guard_allow)")
        notes = list(dict.fromkeys(self._notes))
        for note in notes[:_NOTES_AT_MOST]:
            terminalreporter.line(f"db-guard: not guarded: {note}")
        if len(notes) > _NOTES_AT_MOST:
            terminalreporter.line(f"db-guard: not guarded: {len(notes) - _NOTES_AT_MOST} more")
        if self._is_left_open:
            terminalreporter.line(
                "db-guard: what they connect to is not known, so the run fails. If they may connect anywhere, set "
                f"db_guard_drivers = {_PYTHON}", red=True,
            )  # fmt: skip
        for title, texts in ((_LATE, self._late), (_AGAIN, self._reported)):
            if texts:
                terminalreporter.section(f"{_SECTION}: {title}", red=True)
                for text in dict.fromkeys(texts):
                    terminalreporter.line(text)


def allow_list(config: pytest.Config) -> AllowList:
    """The list of a run, read from the folder of its configuration; UsageError where an entry cannot be meant."""
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    try:
        return AllowList(config.getini("db_guard_allow"), str(base))
    except MalformedEntry as error:
        raise pytest.UsageError(f"db_guard_allow: {error}") from None


def _take_out_the_controllers() -> Callable[[Refusal], None] | None:
    """Remove the guard that was loaded into this process; return what reports to the one that loaded it."""
    guarding = sys.modules.get(f"{_INJECTED}.guarding")  # it is not there where only a trace was loaded
    guard = guarding.end_injected() if guarding is not None else None
    return guard.tell if guard is not None else None


def _is_the_command() -> bool:
    """Whether this run is all that the process is for: pytest's own command called it, and nobody else."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not _is_of_pytest(frame, "main", "_main"):
        frame = frame.f_back
    while frame is not None and _is_of_pytest(frame, "main", "_main"):
        frame = frame.f_back
    return frame is not None and _is_of_pytest(frame, "console_main", "_console_main")


def _is_of_pytest(frame: FrameType, *names: str) -> bool:
    return frame.f_code.co_name in names and frame.f_globals.get("__name__") == "_pytest.config"


def _messages(refusals: list[Refusal]) -> list[str]:
    return list(dict.fromkeys(map(message, refusals)))


def _last_words(report: Any) -> str:
    """The error that a failed report ends with: a refusal before it in a long chain would not be found."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(report.longrepr) if crash is None else str(crash.message)


def _blind(failures: Any) -> str:
    said = "; ".join(f"{library} ({reason})" for library, reason in failures.items())
    return f"--db-guard cannot watch {said}: its connections would not be refused"
