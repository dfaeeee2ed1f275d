"""Small evidence for tests of the analysis: the application's engine led to production in one test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.analysis.reach import reaches
from kit.detectors.detection import findings
from kit.evidence.model import Connection, Engine, Evidence, Frame, Session, Use, Variable

PRODUCTION, TEST = "/project/prod.db", "/project/test.db"
ENGINE_AT, OPENED_AT, SET_AT, ASKED_AT = (
    Frame("app/db.py", 5, "<module>"), Frame("app/db.py", 9, "get_db"), Frame("tests/conftest.py", 4, "<module>"),
    Frame("app/config.py", 7, "<module>"),
)  # fmt: skip
_STACKS = ((ENGINE_AT,), (OPENED_AT,), (SET_AT,), (ASKED_AT,))
BY_ENGINE, BY_OPENER, BY_TESTS, BY_APPLICATION = range(4)


def leak(*variables: Variable, **engine: Any) -> Evidence:
    """A run with these variables: an engine made at 5 s led to production in a test at 9 s."""
    return Evidence(
        stacks=_STACKS,
        variables=variables,
        engines=(Engine(**{
            "at_s": 5.0, "stack": BY_ENGINE, "engine": "e1", "url": f"sqlite:///{PRODUCTION}", "dialect": "sqlite",
            "driver": "pysqlite", "pool": "QueuePool", **engine,
        }),),
        connections=(Connection(
            at_s=9.0, stack=BY_OPENER, connection="c1", driver="sqlite3", configured=PRODUCTION,
            observed={"file": PRODUCTION}, pooled=True, engine="e1",
        ),),
        sessions=(Session(at_s=9.0, stack=BY_OPENER, session="s1", phase="call", test="tests/test_it.py::test_it"),),
        uses=(Use(
            at_s=9.0, stack=BY_OPENER, connection="c1", engine="e1", session="s1", phase="call",
            test="tests/test_it.py::test_it",
        ),),
    )  # fmt: skip


def variable(op: str, name: str, at_s: float, stack: int, value: str | None = None, **fields: Any) -> Variable:
    """One event of a variable."""
    return Variable(op=op, name=name, at_s=at_s, stack=stack, value=value, **fields)


def without_engine(evidence: Evidence) -> Evidence:
    """The same run, with connections that the program opens without an engine."""
    return replace(
        evidence,
        engines=(),
        sessions=(),
        connections=tuple(replace(one, engine=None, pooled=False) for one in evidence.connections),
        uses=tuple(replace(one, engine=None, session=None) for one in evidence.uses),
    )


def found(evidence: Evidence) -> tuple[Finding, ...]:
    """The findings when only the test database is allowed."""
    return findings(evidence, reaches(evidence, "/project"), Allowed(("test.db",), "/project"))
