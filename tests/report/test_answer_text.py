"""The answer of a trace in words: what is not allowed is shown with what would allow it."""

from __future__ import annotations

from dataclasses import replace

from kit.evidence import Evidence, Process
from kit.findings.answer import answer, problems
from kit.findings.databases import Allowed
from kit.report.answer_text import text
from tests.findings.seen_runs import PRODUCTION, leak


def told(evidence: Evidence) -> str:
    return text(answer(evidence, Allowed(("test.db",), "/work"), "/work"))


def test_what_is_not_allowed_is_told_with_its_entry() -> None:
    """A file is named from the folder of the command; nobody has to find out how the list is read."""
    assert "if it is a test database: --allow prod.db" in told(leak())


def test_a_file_of_pytests_own_folders_is_told_with_a_pattern() -> None:
    """Such a folder has another number in each run, so that its own path would allow nothing the next time."""
    path = "/tmp/pytest-of-me/pytest-7/test_it0/test.db"
    evidence = leak(url=f"sqlite:///{path}")
    moved = tuple(replace(one, configured=path, observed={"file": path}) for one in evidence.connections)
    assert "--allow '/tmp/pytest-of-me/*'" in told(replace(evidence, connections=moved))
    assert PRODUCTION not in told(replace(evidence, connections=moved))


def test_a_process_that_a_test_ends_is_no_blind_spot() -> None:
    """What it had reached until then was written down; only the command's own end must have been seen."""
    command = Process(pid=7, ppid=1, argv=("pytest",), executable="python", python="3.11", parent=None)
    server = replace(command, pid=8, ppid=7, argv=("uvicorn",))
    assert problems(Evidence(processes=(replace(command, ended=True), server))) == ()
    assert len(problems(Evidence(processes=(command, replace(server, ended=True))))) == 1
