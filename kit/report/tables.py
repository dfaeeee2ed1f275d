"""Evidence as tables, one question each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kit.evidence import Evidence, Outcome
from kit.verdict import isolation

if TYPE_CHECKING:
    import pandas

_MORE_ITEMS = re.compile(r"Left contains (\d+) more items?")


def sites_seen(outcome: Outcome) -> int | None:
    """How many sites a test that wanted none was shown, in pytest's own words; None where it does not say."""
    if outcome.outcome == "passed":
        return 0
    found = _MORE_ITEMS.search(outcome.message or "")
    return int(found[1]) if found else None


def as_the_report_told(runs: Iterable[Evidence], test: str) -> pandas.DataFrame:
    """One row a run, with the columns of the report: what was run, how it ended, how many sites the test saw."""
    return _table(
        ["run", "started", "test", "result", "sites seen"],
        [
            [*_run(evidence), outcome.test.partition("::")[2], outcome.outcome, sites_seen(outcome)]
            for evidence in runs for outcome in evidence.outcomes if outcome.test == test
        ],
    )


def which_server_answered(runs: Iterable[Evidence], test: str | None = None) -> pandas.DataFrame:
    """One row for each request that used a database: where it was told to go, who answered, and by which way."""
    return _table(
        ["run", "test", "request", "engine made at", "URL from", "answered by", "way", "opened at"],
        [
            [
                _run(evidence)[0], (sighting.use.test or "").partition("::")[2], requests[sighting.use.request],
                str(sighting.engine_chain[0]) if sighting.engine_chain else "",
                (sighting.engine.variables or ("",))[0] if sighting.engine and sighting.engine.variables else "",
                sighting.side, sighting.how, str(sighting.opener),
            ]
            for evidence in runs
            for requests in [{request.number: f"{request.method} {request.path}" for request in evidence.requests}]
            for sighting in evidence.sightings()
            if sighting.use.request is not None and test in (None, sighting.use.test)
        ],
    )


def two_witnesses(runs: Iterable[Evidence]) -> pandas.DataFrame:
    """One row for each run and server: the connections that probes saw, those that the server logged, its writes."""
    rows = []
    for evidence in runs:
        for side in ("test", "production"):
            seen = {
                (connection.observed or {}).get("backend_pid")
                for connection in evidence.connections if evidence.side(connection) == side
            }
            logged = [backend for backend in evidence.backends or () if backend.side == side]
            agree = seen == {str(backend.pid) for backend in logged}
            writes = sum(backend.writes for backend in logged)
            rows.append([_run(evidence)[0], side, len(seen), len(logged), agree, writes])
    return _table(["run", "server", "seen by probes", "in the server's log", "agree", "writing statements"], rows)


def verdicts(runs: Iterable[Evidence]) -> pandas.DataFrame:
    """One row a run: the verdict on its isolation, and the reason."""
    rows = []
    for evidence in runs:
        ruling = isolation(evidence)
        rows.append([str(evidence.trial), str(ruling.verdict), ruling.reason])
    return _table(["trial", "verdict", "reason"], rows)


def _run(evidence: Evidence) -> tuple[str, str]:
    if evidence.trial is None:
        return " ".join(evidence.command), ""
    return evidence.trial.selection, "by hand" if evidence.trial.way == "by_hand" else "the CI way"


def _table(columns: list[str], rows: list[list[object]]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame(rows, columns=columns)
