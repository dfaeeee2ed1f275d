"""The answer of a trace in words: what is not allowed is shown with what would allow it."""

from __future__ import annotations

from dataclasses import replace

from kit.analysis.databases import Allowed, Database
from kit.analysis.not_seen import gaps, hiding_gaps
from kit.answer.model import answer
from kit.evidence.model import Evidence, Frame, Process
from kit.report.answer_text import text, without_number
from tests.analysis.seen_runs import PRODUCTION, leak


def told(evidence: Evidence) -> str:
    return text(answer(evidence, Allowed(("test.db",), "/project"), "/project"))


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
    assert hiding_gaps(gaps(Evidence(processes=(replace(command, ended=True), server)), Allowed())) == ()
    assert len(hiding_gaps(gaps(Evidence(processes=(command, replace(server, ended=True))), Allowed()))) == 1


def server(name: str) -> str:
    return without_number(Database(name, "postgresql", name))


def test_databases_that_a_run_has_numbered_are_alike() -> None:
    """A worker's number, or a mark that is made up, sets no database apart."""
    assert server("db:5432/test_gw0") == server("db:5432/test_gw1")
    assert server("db:5432/test_1") == server("db:5432/test_27")
    assert server("db:5432/test_0123456789ab") == server("db:5432/test_ba9876543210")


def test_other_servers_and_other_names_are_not_alike() -> None:
    """A port is not a number of a run's, and neither is one that belongs to a name."""
    assert server("db:5432/app") != server("db:5433/app")
    assert server("db:5432/app") != server("db:5432/app2")


def test_files_of_a_run_are_alike_and_the_projects_own_are_not() -> None:
    """Each test may have a folder for its database; a file in the project is one of its own."""
    one, other = (f"/tmp/pytest-0/test_{name}0/app.db" for name in "ab")
    assert without_number(Database(one, "sqlite", one, one)) == without_number(Database(other, "sqlite", other, other))
    mine = Database("/project/data/app.db", "sqlite", "data/app.db", "/project/data/app.db")
    assert without_number(mine) != without_number(Database(one, "sqlite", one, one))


def test_of_many_routes_to_a_database_some_are_told() -> None:
    """A suite that opens a database at many lines is told with eight of them, and with how many more there are."""
    evidence = leak()
    lines = tuple((Frame("app/db.py", line, "get_db"),) for line in range(20, 31))
    uses = tuple(
        replace(evidence.uses[0], stack=number, session=None, at_s=10.0 + number) for number in range(len(lines))
    )
    said = told(replace(evidence, stacks=lines, uses=uses, sessions=()))
    assert "app/db.py:27" in said
    assert "app/db.py:28" not in said
    assert "... and 3 more routes (--json lists them)" in said
