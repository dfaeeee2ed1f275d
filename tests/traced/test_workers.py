"""A line of the tests that leads to another database in each worker is told with both."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.answer.diagnosis import Effect, Status
from tests.projects import PYTEST, diagnosed, traced, write

CONFTEST = """
    import os
    import pytest
    from sqlalchemy import create_engine, text

    ENGINES = {engines}
    engine = create_engine(ENGINES.get(os.environ.get("PYTEST_XDIST_WORKER", "gw0"), "sqlite:///prod.db"))

    @pytest.fixture
    def one():
        with engine.connect() as connection:
            return connection.scalar(text("select 1"))
"""
RIGHT = {"gw0": "sqlite:///test_0.db", "gw1": "sqlite:///test_1.db"}
WRONG = {"gw0": "sqlite:///test_0.db", "gw01": "sqlite:///test_1.db"}


@pytest.mark.parametrize(("engines", "told"), [(RIGHT, 0), (WRONG, 1)], ids=["right", "misnamed"])
def test_a_worker_that_is_led_elsewhere_is_told(tmp_path: Path, engines: dict[str, str], told: int) -> None:
    """Each worker has a database of its own, but for one, whose name is misspelt."""
    tests = "import pytest\n\n@pytest.mark.parametrize('number', range(4))\ndef test_it(one, number): assert one == 1\n"
    project = write(tmp_path, {"conftest.py": CONFTEST.format(engines=engines), "test_it.py": tests})
    answer = traced(project, command=(*PYTEST, "-n", "2", "--dist", "each"), allow=["test_*.db"])
    found = [one for one in answer.findings if one.kind == "engine-differs-by-process"]
    assert len(found) == told
    assert [(one.file, one.line) for one in found] == [("conftest.py", 7)] * told
    assert all("one of sqlite:///test_0.db" in one.message for one in found)
    assert bool(answer.findings) is bool(told)


def test_what_leads_one_worker_elsewhere_is_proved(tmp_path: Path) -> None:
    """With that worker's engine led where the line leads in another, the database is not reached any more."""
    tests = "import pytest\n\n@pytest.mark.parametrize('number', range(4))\ndef test_it(one, number): assert one == 1\n"
    project = write(tmp_path, {"conftest.py": CONFTEST.format(engines=WRONG), "test_it.py": tests})
    _, diagnosis = diagnosed(project, command=(*PYTEST, "-n", "2", "--dist", "each"), allow=["test_*.db"])
    assert diagnosis.status is Status.PROVED, diagnosis.runs
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("engine-differs-by-process", "conftest.py", 7)
    assert "PYTEST_XDIST_WORKER" in cause.fix
    assert [run.effect for run in diagnosis.runs] == [Effect.STAYS, Effect.GONE]
