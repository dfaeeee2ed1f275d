"""What was not seen is said, and then nothing is called clean; what hides no database alarms nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.not_seen import gaps, hiding_gaps, new_hiding_gap
from kit.answer.diagnosis import Status
from kit.answer.model import answer, contract, describe_no_findings
from kit.diagnosing.conclusion import nothing_wrong
from kit.evidence.model import Child, Evidence, NotSeen, Outcome, Process
from kit.report.answer_page import page
from kit.report.answer_text import github, text
from tests.analysis.seen_runs import leak


def process(pid: int, *, ended: bool = True, **fields: Any) -> Process:
    return Process(**{
        "pid": pid, "ppid": 1, "argv": ("run",), "executable": "python", "python": "3.11", "parent": None,
        "ended": ended, **fields,
    })  # fmt: skip


def passed(**fields: Any) -> Evidence:
    """A run of one test that passed, and reached nothing that is not allowed."""
    return Evidence(**{
        "exit_code": 0, "processes": (process(7),),
        "outcomes": (Outcome(test="tests/test_it.py::test_it", when="call", outcome="passed", at_s=1.0),), **fields,
    })  # fmt: skip


def child(program: str, **fields: Any) -> Child:
    return Child(at_s=1.0, program=program, test="tests/test_it.py::test_it", **fields)


CLIENT = NotSeen(at_s=1.0, what="client", name="psql", asked="postgresql://db:5432/orders")
HIDING = {
    "a driver without a probe": passed(not_seen=(NotSeen(at_s=1.0, what="driver", name="pymysql", why="to 10.0.0.1"),)),
    "a replaced import system": passed(not_seen=(NotSeen(at_s=1.0, what="imports", name="sys.meta_path"),)),
    "a probe that is off": passed(not_seen=(NotSeen(at_s=1.0, what="probe", name="psycopg"),)),
    "a probe that failed": passed(processes=(process(7, failures={"psycopg": "TypeError: x"}),)),
    "lines that the probes lost": passed(not_seen=(NotSeen(at_s=1.0, what="record", name="7 lines"),)),
    "lines that cannot be read": passed(problems=("a line of process 7: cut off",)),
    "a kind of a later version": passed(not_seen=(NotSeen(at_s=1.0, what="weather", name="rain"),)),
    "a native client": passed(not_seen=(CLIENT,)),
    "a native client that goes anywhere": passed(not_seen=(replace(CLIENT, asked=None, why="a text of a shell's"),)),
    "a client whose options nobody knows": passed(children=(child("/usr/bin/mongosh", pid=8, python=False),)),
    "a Python that did not report": passed(children=(child("python3.12", pid=8, python=True),)),
    "a Python without the variables": passed(children=(child("python", watched=False),)),
    "a command that was killed": passed(processes=(process(7, ended=False),)),
    "a process that runs on": passed(processes=(process(7), process(8, ppid=7, ended=False)), running=(8,)),
    "a fork without probes that runs on": passed(running=(9,)),
}
SAID = {
    "a server that is no database": passed(not_seen=(NotSeen(at_s=1.0, what="store", name="redis"),)),
    "a process that the tests killed": passed(processes=(process(7), process(8, ppid=7, ended=False))),
    "a container": passed(children=(child("docker", pid=8, python=False),)),
    "a native client on a test database": passed(not_seen=(replace(CLIENT, asked="/project/test.db"),)),
}
NOTHING = {
    "a run like any other": passed(),
    "a native client's version": passed(children=(child("psql", pid=8, python=False),)),
    "git": passed(children=(child("git", pid=8, python=False), child("ls", watched=False))),
    "a Python that reported": passed(
        processes=(process(7), process(8, ppid=7)), children=(child("python", pid=8, python=True),)
    ),
    "a Python that reported, seen twice": passed(
        processes=(process(7), process(8, ppid=7)),
        children=(child("python", watched=False), child("python", pid=8, python=True)),
    ),
    "a Python with the variables": passed(children=(child("python", watched=True, dropped=("DATABASE_URL",)),)),
    "a fork of multiprocessing's": passed(processes=(process(7), process(8, ppid=7, ended=False, forked=True))),
    "what became another program": passed(processes=(process(7, ended=False), process(7))),
}


@pytest.mark.parametrize("name", HIDING)
def test_what_can_hide_a_database_is_said_and_nothing_is_called_clean(name: str) -> None:
    """Text, page, JSON and annotations name the gap and what to do, and no diagnosis is CLEAN."""
    found = answer(HIDING[name], Allowed(("test.db",), "/project"), "/project")
    (gap,) = found.not_seen
    assert gap.hides
    assert describe_no_findings(found).startswith("No finding, but not everything was seen")
    assert "Not seen:" in text(found)
    assert "NOT EVERYTHING WAS SEEN" in page(found)
    assert contract(found)["not_seen"][0]["why"] == gap.why
    assert github(found).startswith("::warning title=Database isolation%3A not seen::")
    diagnosis = nothing_wrong(found)
    assert diagnosis.status is Status.UNRESOLVED
    assert any(gap.why in said for said in diagnosis.unproved)


@pytest.mark.parametrize("name", SAID)
def test_what_hides_nothing_is_said_and_alarms_nobody(name: str) -> None:
    """It stands in the answer, which is clean all the same."""
    found = answer(SAID[name], Allowed(("test.db",), "/project"), "/project")
    assert len(found.not_seen) == 1
    assert "Not seen:" in text(found)
    assert github(found) == ""
    assert nothing_wrong(found).status is Status.CLEAN


@pytest.mark.parametrize("name", NOTHING)
def test_what_every_suite_does_is_no_gap(name: str) -> None:
    """Programs that have nothing to do with databases, and Pythons that reported, are not spoken of."""
    found = answer(NOTHING[name], Allowed(("test.db",), "/project"), "/project")
    assert found.not_seen == ()
    assert "Not seen" not in text(found)
    assert nothing_wrong(found).status is Status.CLEAN


def test_a_command_that_failed_before_any_test_is_said() -> None:
    """An option that pytest does not know, a plugin that cannot be loaded: no test has shown anything."""
    untested = replace(passed(), outcomes=(), connections=(), uses=(), exit_code=4)
    (gap,) = hiding_gaps(gaps(untested, Allowed()))
    assert "exit code 4, and no test was run" in gap.why


def test_a_test_that_was_interrupted_was_run() -> None:
    """A test that connected and has no outcome is neither forgotten nor said to be not run."""
    interrupted = replace(leak(), outcomes=(), exit_code=2)
    assert "exit code 2, and no test came to its end" in hiding_gaps(gaps(interrupted, Allowed()))[0].why
    said = text(answer(interrupted, Allowed(("test.db",), "/project"), "/project"))
    assert "1 of 1 test reached one." in said


def test_a_gap_that_comes_again_and_again_is_said_once() -> None:
    """A client that every test runs is one thing to look into."""
    again = tuple(replace(CLIENT, at_s=float(number)) for number in range(8, 20))
    assert len(gaps(passed(not_seen=again), Allowed())) == 1


def test_what_only_a_rerun_does_out_of_sight_is_found() -> None:
    """Only what is new in a re-run can have taken the place of what was reached before."""
    first = HIDING["a native client"]
    assert new_hiding_gap(first, first, Allowed()) is None
    anew = new_hiding_gap(passed(), first, Allowed())
    assert anew is not None
    assert anew.name == "psql"


def test_what_an_allow_list_does_not_do_is_said() -> None:
    """An entry that matched nothing is a slip of the pen or of no use; one that lets all through judges nothing."""
    found = answer(leak(), Allowed(("prod.db", "tset.db", "*"), "/project"), "/project")
    said = " ".join(text(found).split())
    assert "--allow tset.db matched no database that was reached." in said
    assert "--allow * allows every server and every file in /project: none of it is judged wrong." in said
    assert "--allow prod.db " not in said
    assert [one["matched"] for one in contract(found)["allow"]] == [True, False, True]
    assert "--allow tset.db matched no database" in page(found)
