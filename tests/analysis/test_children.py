"""A process that the tests start without the variable which leads to their database goes to another one."""

from __future__ import annotations

from dataclasses import replace

from kit.evidence.model import Child, Process
from tests.analysis.seen_runs import BY_APPLICATION, BY_TESTS, found, leak, variable


def test_the_line_that_starts_a_process_without_the_variable_is_named() -> None:
    """Where the variable is there in the tests' own process, whoever started the other is to hand it on."""
    evidence = leak(
        variable("set", "DATABASE_URL", 2.0, BY_TESTS, "sqlite:///test.db"),
        variable("missing", "DATABASE_URL", 4.0, BY_APPLICATION, process=1),
    )
    tests, child = (
        Process(pid=pid, ppid=ppid, argv=("python",), executable="python", python="3.12.1", parent=None)
        for pid, ppid in ((10, 1), (20, 10))
    )
    (finding,) = found(
        replace(
            evidence,
            processes=(tests, child),
            children=(Child(at_s=3.0, stack=BY_TESTS, program="python", dropped=("DATABASE_URL",), watched=True),),
            engines=tuple(replace(one, process=1) for one in evidence.engines),
            connections=tuple(replace(one, process=1) for one in evidence.connections),
            sessions=tuple(replace(one, process=1) for one in evidence.sessions),
            uses=tuple(replace(one, process=1) for one in evidence.uses),
        )
    )
    assert (finding.kind, finding.where) == ("environment-not-handed-on", "tests/conftest.py:4")
    assert finding.about.variable == "DATABASE_URL"
    assert "which is set in the tests' process at tests/conftest.py:4, and reads it at" in finding.message
