from __future__ import annotations

from kit.findings.databases import Database
from kit.report.answer_text import without_number


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
