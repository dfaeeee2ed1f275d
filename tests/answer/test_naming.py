from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.databases import Allowed
from kit.answer.model import Answer, answer
from kit.answer.naming import SHORT, Named, names, shortest, shortest_suffixes
from kit.evidence.model import Evidence
from tests.report.test_timeline import of_one_test

FOLDER = "/project"


def servers(*wholes: str) -> list[Named]:
    return [Named("", whole, "postgresql") for whole in wholes]


def files(*wholes: str) -> list[Named]:
    return [Named("", whole, "sqlite") for whole in wholes]


@pytest.mark.parametrize(("ones", "short"), [
    (servers("127.0.0.1:5433/shop", "127.0.0.1:5433/shop_test"), ["shop", "shop_test"]),
    (servers("127.0.0.1:5433/shop", "127.0.0.1:5434/shop"), ["127.0.0.1:5433", "127.0.0.1:5434"]),
    (servers("s1/a", "s1/b", "s2/a"), ["s1/a", "s1/b", "s2/a"]),
    (files("data/prod.db", "/tmp/pytest-of-ada/pytest-0/x0/test.db"), ["prod.db", "test.db"]),
    (files("app.db", "/tmp/pytest-of-ada/pytest-0/x0/app.db"), ["app.db", "x0/app.db"]),
    (servers(f"{'h' * 60}:1/shop", f"{'h' * 60}:2/shop"), ["database A", "database B"]),
    (servers("kit-production"), ["kit-production"]),
])
def test_a_name_is_as_short_as_tells_the_databases_apart(ones: list[Named], short: list[str]) -> None:
    """The database's own name, else its server's, else the whole; a letter for each where all of these are long."""
    assert shortest(ones) == short


def test_short_names_are_short_and_differ() -> None:
    """Of many databases with long and equal names no two are called the same, and none is long."""
    found = shortest(servers(*(f"{'host' * 20}{number}/{'shop' * 20}" for number in range(100))))
    assert len({*found}) == 100
    assert max(map(len, found)) <= SHORT


def test_a_callable_keeps_as_much_of_its_module_as_tells_it_apart() -> None:
    """A name that is the end of another one stays whole."""
    found = shortest_suffixes(["app.db.get_db", "src.app.db.get_db", "tests.conftest.client.<locals>.fake"])
    assert found == {"app.db.get_db": "app.db.get_db", "src.app.db.get_db": "src.app.db.get_db",
                     "tests.conftest.client.<locals>.fake": "fake"}


def reached_files(*files: str) -> Answer:
    """The answer to a run that reached these files of a project."""
    evidence: Evidence = of_one_test("production")
    [connection], [use] = evidence.connections, evidence.uses
    connections = tuple(
        replace(connection, connection=f"c{number}", driver="sqlite", configured=file, observed={"file": file})
        for number, file in enumerate(files)
    )
    uses = tuple(replace(use, connection=one.connection, at_s=use.at_s + number)
                 for number, one in enumerate(connections))
    return answer(replace(evidence, connections=connections, uses=uses), Allowed(("*/prod.db",), FOLDER), FOLDER)


@pytest.mark.parametrize(("value", "named"), [
    ("sqlite:///prod.db", "prod.db"), ("sqlite+aiosqlite:///./prod.db", "prod.db"),
    ("sqlite:////elsewhere/old/prod.db", "/elsewhere/old/prod.db"), ("db", None), ("", None), ("od.db", None),
])
def test_a_value_names_the_file_that_it_leads_to(value: str, named: str | None) -> None:
    """A relative path is below the command's folder, although another file ends alike; a part of a name names none."""
    found = reached_files(f"{FOLDER}/prod.db", "/elsewhere/old/prod.db")
    one = names(found, found.reached, [value]).of(value)
    assert (one.whole if one is not None else None) == named


def test_an_address_at_which_nothing_answered_says_so() -> None:
    """A URL of a server that the run did not reach has a name of its own, is not judged, and shows no password."""
    found = reached_files(f"{FOLDER}/prod.db")
    value = "postgresql://u:hunter22@h:5433/shop_test?password=hunter22"
    one = names(found, found.reached, [value]).of(value)
    assert one == Named("shop_test", "h:5433/shop_test", "postgresql", note="not reached in this run")
    assert one.described == "h:5433/shop_test, postgresql, not reached in this run"


def test_the_legend_has_the_whole_name_the_server_and_the_judgement() -> None:
    """What a short name stands for is said once: its whole name, where it was asked for, and whether it is allowed."""
    named = Named("shop", "kit-prod/shop", "postgresql", False, ("10.0.0.5:5432",))
    assert named.described == "kit-prod/shop at 10.0.0.5:5432, postgresql, not allowed"
