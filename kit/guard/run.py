"""The guard of a pytest run: no test reaches a database off the list, and no refusal goes unnoticed.

A refused connection raises where it was requested. That error may get lost (an application may catch it, a thread
cannot report it), so the refusal is also recorded; child processes write theirs to a file. After each phase of a test
both records are checked, and the phase fails.

The guard stays in this process until the interpreter exits. Refusals after the last test (in a remaining thread, by
`atexit`) are reported on standard error when they happen, and the process exits with a status of failure. If pytest was
called by a program that goes on (`pytest.main`), the guard is removed at the end of the run, and installed again for
the run's own `atexit` functions when the program exits.
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
from kit.workfolder import LOCK, make, remove, sweep

_SECTION, _FOLDER = "db-guard", "db-guard-"
_INJECTED = "_isolation_probes"  # the package name of the probes that another process injected into this one
_LATE = "after the last test"
_AGAIN = "refused, although nothing failed in the end (a test was run again, or a report was changed)"
_NOTES_AT_MOST = 5
_PYTHON = "python"  # in db_guard_drivers: any Python that is started without the guard
_SUCCEEDED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class GuardedRun:
    """The plugin of one run, from its loading to the end; each worker of pytest-xdist has its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._controllers = _take_out_the_controllers()  # reports earlier refusals itself
        self._allow, self._unjudged = allow_list(config), config.getini("db_guard_drivers")
        self._notes: list[str] = []
        self._reported: list[str] = []  # in the reports of tests, which another plugin may change
        self._file, self._number = _new_file()
        self._read, self._open = 0, True
        self._pid, self._told, self._late = os.getpid(), list[Refusal](), list[str]()
        self._ended, self._at_once = False, False
        self._exit_status: int | None = None
        self._by_command = _is_the_command()
        self._guard = self._install_guard()
        self._before = opened_before(self._guard)
        self.is_checked = False
        atexit.register(self._finally)  # called after the functions that tests register

    def _install_guard(self) -> Guard:
        guard = Guard(
            self._allow, str(self._file), self._record_refusal, (self._pid, self._number), self._unjudged, self._note,
        )
        guard.inject_into_children()
        return guard

    def check_earlier_connections(self) -> None:
        """Raise UsageError if something connected already, or holds an unguarded connect function."""
        self.is_checked = True
        if self._before:
            raise pytest.UsageError("--db-guard was loaded too late. " + " ".join(self._before))

    def _record_refusal(self, refusal: Refusal) -> None:
        """Record a refusal; a forked child writes it to the file, as other processes do."""
        if os.getpid() != self._pid:
            appending_to(str(self._file), (self._pid, self._number))(refusal)
        elif not self._at_once:
            self._told.append(refusal)
        else:
            self._report_late([refusal])

    def _note(self, text: str) -> None:
        """Record that a Python was started without the guard; a forked child writes it to the file."""
        if os.getpid() == self._pid:
            self._notes.append(text)
        else:
            appending_to(str(self._file), (self._pid, self._number))({NOTE: text})

    @property
    def _is_left_open(self) -> bool:
        """Whether something was started without the guard and that is not allowed."""
        return bool(self._notes) and _PYTHON not in self._unjudged

    def end(self) -> None:
        """Remove the guard from this process, unless the process ends with the run."""
        if self._ended:
            return
        self._ended = self._at_once = True
        is_worker = hasattr(self._config, "workerinput")
        if not is_worker:
            self._controllers = None
        self._report_late(self._collect_refusals())
        if not self._by_command and not is_worker:
            self._guard.remove()
            self._close()
            atexit.register(self._guard_at_exit)

    def _report_late(self, refusals: list[Refusal]) -> None:
        """Report to the controller, if there is one; else on standard error, and exit with a status of failure."""
        if self._controllers is not None:
            for refusal in refusals:
                self._controllers(refusal)
            return
        for text in _messages(refusals):
            say(f"db-guard: {_LATE}: {text}")
        if refusals and self._exit_status in (None, *_SUCCEEDED):
            end_with(pytest.ExitCode.TESTS_FAILED)

    def _guard_at_exit(self) -> None:
        """Guard the run's remaining `atexit` functions when a program that went on after the run exits."""
        if os.getpid() == self._pid:
            self._file, self._number = _new_file()
            self._read, self._open = 0, True
            self._guard = self._install_guard()

    def _finally(self) -> None:
        if os.getpid() == self._pid and self._open:
            self._report_late(self._collect_refusals())
            if not self._by_command:
                self._guard.remove()
            self._close()

    def _close(self) -> None:
        self._open = False
        self._guard.forget_servers()
        remove(self._file.parent)
        os.close(self._number)

    # --- while tests are collected and run ---------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Iterator[None]:
        """Fail the collection of a module during whose import a connection was refused."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Fail the phase of a test in which a connection was refused, even if the test is expected to fail."""
        outcome: Any = yield
        self._fail(outcome.get_result())

    def _fail(self, report: Any) -> None:
        found = self._refused()
        if not found:  # nearly always
            return
        self._reported += found
        if report.outcome == "failed":
            if not all(text in _final_error(report) for text in found):
                report.sections.append((_SECTION, "\n".join(found)))
            return
        report.outcome, report.longrepr = "failed", "\n".join(f"db-guard: {text}" for text in found)
        vars(report).pop("wasxfail", None)

    def _refused(self) -> list[str]:
        """Return the messages of refusals since the last call, without duplicates."""
        return _messages(self._collect_refusals())

    def _collect_refusals(self) -> list[Refusal]:
        found = []
        while self._told:
            found.append(self._told.pop(0))
        if self._open and os.fstat(self._number).st_size != self._read:
            found += self._read_refusals_file()
        return found

    def _read_refusals_file(self) -> list[Refusal]:
        """Read the file by its descriptor, because its name may have been removed."""
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
            raise pytest.UsageError(_describe_unwatched(self._guard.failures))

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Fail a run in which a connection was refused after the last test.

        This runs after all other plugins' hooks, including pytest-xdist's, which ends its workers.
        """
        yield
        self._late += self._refused()
        if self._guard.failures:
            self._late.append(_describe_unwatched(self._guard.failures))
        if hasattr(session.config, "workeroutput"):
            told = {"db_guard": self._late, "db_guard_notes": self._notes, "db_guard_reported": self._reported}
            session.config.workeroutput.update(told)
        elif session.exitstatus not in _SUCCEEDED:
            self._reported.clear()  # the reported refusals have already made the run fail
        elif self._late or self._reported or self._is_left_open:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._exit_status = int(session.exitstatus)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the records of a pytest-xdist worker at its end."""
        told = getattr(node, "workeroutput", None) or {}
        self._late += told.get("db_guard", [])
        self._notes += told.get("db_guard_notes", [])
        self._reported += told.get("db_guard_reported", [])

    def pytest_report_header(self) -> str:
        """Report that the guard is on, and what it allows."""
        allow = self._guard.allow
        said = f"db-guard: on, allowed: {', '.join(allow.entries) or 'databases in memory only'}"
        all_of = [f"{entry} allows {what}" for entry, what in allow.unrestricted_entries()]
        all_of += [f"{name} may connect anywhere (db_guard_drivers)" for name in self._unjudged]
        return f"{said}\ndb-guard: {'; '.join(all_of)}" if all_of else said

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show refusals that are in no test's report, and entries that matched nothing."""
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


def _new_file() -> tuple[Path, int]:
    """Return a new file for refusals, open: the lock of its folder, which the next start removes if this one is killed.

    The lock and the file are one, so that a program that closes all files closes no second one.
    """
    base = Path(tempfile.gettempdir()).resolve()
    sweep((_FOLDER,), (base,))
    folder, number = make(base, _FOLDER)
    return folder / LOCK, number


def allow_list(config: pytest.Config) -> AllowList:
    """The allow-list of a run, relative to the folder of its configuration. Raises UsageError for a malformed entry."""
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    try:
        return AllowList(config.getini("db_guard_allow"), str(base))
    except MalformedEntry as error:
        raise pytest.UsageError(f"db_guard_allow: {error}") from None


def _take_out_the_controllers() -> Callable[[Refusal], None] | None:
    """Remove the guard that another process injected into this one; return the function that reports to that one."""
    guarding = sys.modules.get(f"{_INJECTED}.guarding")  # missing when only a trace was injected
    guard = guarding.end_injected() if guarding is not None else None
    return guard.tell if guard is not None else None


def _is_the_command() -> bool:
    """Whether pytest's command itself called this run, so that the process ends with it."""
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


def _final_error(report: Any) -> str:
    """The final error of a failed report, because a refusal earlier in a long exception chain is easily overlooked."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(report.longrepr) if crash is None else str(crash.message)


def _describe_unwatched(failures: Any) -> str:
    said = "; ".join(f"{library} ({reason})" for library, reason in failures.items())
    return f"--db-guard cannot watch {said}: its connections would not be refused"
