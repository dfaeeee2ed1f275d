"""An engine that connects to another place than its URL names: whoever saw to that is the culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence.model import ConnectListener
from tests.analysis.seen_runs import found, leak


@pytest.mark.parametrize(
    ("configured", "elsewhere"),
    [
        ("postgresql://me@db:5432/shop", False), ("postgresql://me@db:/shop", False),
        ("postgresql://you@replica:5432/shop", True), ("postgresql://me@db:5433/shop", True),
        ("postgresql://me@db:5432/archive", True),
    ],
)  # fmt: skip
def test_a_server_is_told_by_its_place(configured: str, elsewhere: bool) -> None:
    """Another host, port or database than the URL's is another place; another user is not."""
    evidence = leak(url="postgresql://me:***@db/shop", dialect="postgresql", driver="psycopg")
    moved = tuple(replace(one, configured=configured, observed=None) for one in evidence.connections)
    listener = ConnectListener(at_s=8.0, engine="e1", function="sign", file="app/aws.py", line=3)
    kinds = [
        (finding.kind, finding.where)
        for finding in found(replace(evidence, connections=moved, connect_listeners=(listener,)))
    ]
    assert (("connected-elsewhere", "app/aws.py:3") in kinds) is elsewhere


@pytest.mark.parametrize("url", ["sqlite:///prod.db", "sqlite:///./prod.db", "sqlite:///file:prod.db?uri=true"])
def test_a_file_is_the_same_however_it_is_written(url: str) -> None:
    """A relative path, and the URI of a file, name what was opened."""
    assert "connected-elsewhere" not in {finding.kind for finding in found(leak(url=url))}


def test_a_link_is_no_other_file() -> None:
    """What is asked for is what the URL names, wherever that leads."""
    evidence = leak(url="sqlite:///current.db")
    linked = tuple(replace(one, configured="/project/current.db") for one in evidence.connections)
    assert "connected-elsewhere" not in {
        finding.kind for finding in found(replace(evidence, connections=linked))
    }  # fmt: skip


def test_a_url_without_a_host_names_no_other_server() -> None:
    """libpq's defaults fill in what the URL leaves out, so another host than none is no other place."""
    evidence = leak(url="postgresql:///shop", dialect="postgresql", driver="psycopg")
    reached = tuple(replace(one, configured="postgresql://me@db/shop", observed=None) for one in evidence.connections)
    assert "connected-elsewhere" not in {finding.kind for finding in found(replace(evidence, connections=reached))}


def test_an_argument_of_the_engine_is_told_where_the_engine_is_made() -> None:
    """With no listener of the program's, what leads the connection elsewhere is given where the engine is made."""
    evidence = leak(url="postgresql://me:***@db/shop", dialect="postgresql", driver="psycopg")
    moved = tuple(replace(one, configured="postgresql://me@db/archive", observed=None) for one in evidence.connections)
    (finding,) = (
        finding for finding in found(replace(evidence, connections=moved)) if finding.kind == "connected-elsewhere"
    )
    assert finding.where == "app/db.py:5"
    assert "an argument of the engine, or a listener of a library," in finding.message
