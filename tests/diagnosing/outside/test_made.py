"""What a run itself created on a server is dropped again, and nothing else, whatever happens there meanwhile."""

from __future__ import annotations

from typing import cast

import pytest

from kit.diagnosing.outside.made import MadeByRuns
from kit.diagnosing.outside.postgres import Postgres
from kit.diagnosing.outside.store import CannotBeAsked


class Server:
    """A stand-in for a server: its roles, by their numbers."""

    def __init__(self, **roles: str) -> None:
        self.roles, self.answers = roles, True
        self.dropped: list[str] = []

    def oid_of(self, kind: str, name: str) -> str:
        if not self.answers:
            raise CannotBeAsked("it is down")
        return self.roles.get(name, "")

    def drop(self, kind: str, name: str, oid: str) -> None:
        if self.roles.get(name) == oid:
            if oid == "owns":
                raise CannotBeAsked("some objects depend on it")
            del self.roles[name]
            self.dropped.append(f"{kind} {name}")


class Runs:
    """What runs are about to create on a server, and what could not be dropped."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.said: dict[str, str] = {}
        self.made = MadeByRuns(self.said.__setitem__)

    def create(self, name: str, number: str, kind: str = "role") -> None:
        """Run `create role`, or of another kind; number "" for a statement that fails."""
        self.made.creates("db", cast(Postgres, self.server), kind, name)
        if number:
            self.server.roles[name] = number


@pytest.fixture
def runs() -> Runs:
    return Runs(Server(old="1"))


def test_what_is_created_after_the_beginning_is_told_and_dropped(runs: Runs) -> None:
    """What was there at the beginning, created by the run or not, is no difference and stays until the run is over."""
    runs.create("earlier", "2")
    runs.made.begins()
    runs.create("later", "3")
    assert runs.made.places() == ["role later"]
    runs.made.drop(["role later", "role earlier", "role old"])
    assert runs.server.roles == {"old": "1", "earlier": "2"}
    runs.made.drop_all()
    assert runs.server.roles == {"old": "1"}


def test_what_was_there_is_not_the_runs(runs: Runs) -> None:
    """A statement that cannot have created it leaves it what it was."""
    runs.made.begins()
    runs.create("old", "")
    assert runs.made.places() == []
    runs.made.drop_all()
    assert runs.server.roles == {"old": "1"}


def test_a_statement_that_failed_has_created_nothing(runs: Runs) -> None:
    """What someone else creates under that name after the next look is theirs."""
    runs.made.begins()
    runs.create("mine", "")
    assert runs.made.places() == []
    runs.server.roles["mine"] = "4"
    runs.made.drop_all()
    assert "mine" in runs.server.roles


def test_another_one_of_the_same_name_is_left(runs: Runs) -> None:
    """The one that the run created is gone, and what has its name now has another number."""
    runs.made.begins()
    runs.create("mine", "5")
    assert runs.made.places() == ["role mine"]
    runs.server.roles["mine"] = "6"
    runs.made.drop_all()
    assert runs.server.roles["mine"] == "6"


def test_without_an_answer_nothing_is_assumed(runs: Runs) -> None:
    """A server that does not answer for a while: what was not known to be absent is not the run's."""
    runs.made.begins()
    runs.server.answers = False
    runs.create("mine", "7")
    runs.server.answers = True
    runs.made.drop_all()
    assert runs.server.roles["mine"] == "7"


def test_what_cannot_be_dropped_is_said(runs: Runs) -> None:
    """A role that owns something stays, with the reason."""
    runs.made.begins()
    runs.create("mine", "owns")
    runs.made.drop_all()
    assert runs.said == {"role mine": "some objects depend on it"}
    assert runs.server.roles["mine"] == "owns"


def test_a_database_is_dropped_before_a_role_that_may_own_it(runs: Runs) -> None:
    """Whatever was created first."""
    runs.made.begins()
    runs.create("owner", "8")
    runs.create("shop", "9", kind="database")
    runs.made.drop_all()
    assert runs.server.dropped == ["database shop", "role owner"]
