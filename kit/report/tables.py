"""Evidence as tables, one question each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kit.evidence import Evidence, Frame, Outcome, Sighting
from kit.verdict import isolation

if TYPE_CHECKING:
    import pandas

_MORE_ITEMS = re.compile(r"Left contains (\d+) more items?")


def sites_seen(evidence: Evidence, test: str) -> int | None:
    """How many sites a test that wanted none was shown, in pytest's own words; None where it does not say."""
    return next((_sites_shown(outcome) for outcome in evidence.outcomes if outcome.test == test), None)


def _sites_shown(outcome: Outcome) -> int | None:
    if outcome.outcome == "passed":
        return 0
    found = _MORE_ITEMS.search(outcome.message or "")
    return int(found[1]) if found else None


def as_the_report_told(runs: Iterable[Evidence], test: str) -> pandas.DataFrame:
    """One row a run, with the columns of the report: what was run, how it ended, how many sites the test saw."""
    return _table(
        ["run", "started", "test", "result", "sites seen"],
        [
            [*_run(evidence), outcome.test.partition("::")[2], outcome.outcome, _sites_shown(outcome)]
            for evidence in runs for outcome in evidence.outcomes if outcome.test == test
        ],
    )


def which_server_answered(runs: Iterable[Evidence], test: str | None = None) -> pandas.DataFrame:
    """One row for each request that used a database: which variable led there, who answered, by which way."""
    rows: dict[tuple[object, ...], list[object]] = {}
    for evidence in runs:
        requests = {request.number: f"{request.method} {request.path}" for request in evidence.requests}
        for sighting in evidence.in_requests():
            if test in (None, sighting.use.test):
                number = sighting.use.request
                rows.setdefault((id(evidence), number, sighting.side, sighting.how), [
                    _run(evidence)[0], (sighting.use.test or "").partition("::")[2], requests[number or ""],
                    _variable(sighting), sighting.side, sighting.how,
                    _place(sighting.chain[:1]),
                ])
    columns = ["run", "test", "request", "URL from", "answered by", "way", "opened at"]
    return _table(columns, rows.values())


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


def _variable(sighting: Sighting) -> str:
    variables = sighting.engine.variables if sighting.engine is not None else None
    return variables[0] if variables else ""


def _place(frames: tuple[Frame, ...]) -> str:
    return " ".join(f"{frame.file}:{frame.line}" for frame in frames)


def _table(columns: list[str], rows: Iterable[Sequence[object]]) -> pandas.DataFrame:
    import pandas

    # The first column says which row it is; its name stands in the corner, where a notebook has room for it.
    table = pandas.DataFrame(list(rows), columns=columns).set_index(columns[0])
    return table.rename_axis(index=None, columns=columns[0])
