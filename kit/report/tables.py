"""Evidence as tables; each function answers one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from kit.evidence.model import App, Evidence, Frame, Outcome, Sighting
from kit.evidence.model import Callable as Known
from kit.evidence.verdict import agreed_by, isolation
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.trial import Trial

if TYPE_CHECKING:
    import pandas
    from pandas.io.formats.style import Styler

_SELECTIONS = {"individual": "one test", "suite": "the suite"}
_WAYS = {"by_hand": "by hand", "ci": "the CI way"}
_SITES_LEFT = re.compile(r"^Sites left by (\S+): (\d+)$", re.MULTILINE)
_MORE_ITEMS = re.compile(r"Left contains (\d+) more items?")


def sites_seen(evidence: Evidence, test: str) -> int | None:
    """The number of sites that a test saw although it expected none, from pytest's message; None if it gives none."""
    return next((_sites_shown(outcome) for outcome in evidence.outcomes if outcome.test == test), None)


def _sites_shown(outcome: Outcome) -> int | None:
    if outcome.outcome == "passed":
        return 0
    found = _MORE_ITEMS.search(outcome.message or "")
    return int(found[1]) if found else None


def sites_left(evidence: Evidence) -> dict[str, int]:
    """The number of sites that each test left in the test database, as the variant `rows_counted` prints it."""
    return {test: int(count) for test, count in _SITES_LEFT.findall(evidence.output)}


def as_the_report_told(runs: Iterable[Evidence], test: str) -> pandas.DataFrame:
    """One row per run, with the report's columns: what was run, the outcome, and how many sites the test saw."""
    return _table(
        ["run", "started", "test", "result", "sites seen"],
        [
            [*_run(evidence), outcome.test.partition("::")[2], outcome.outcome, _sites_shown(outcome)]
            for evidence in runs for outcome in evidence.outcomes if outcome.test == test
        ],
    )


def which_server_answered(runs: Iterable[Evidence], test: str | None = None) -> pandas.DataFrame:
    """One row per request that used a database: which variable led there, which server answered, by which route."""
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
    columns = ["run", "test", "request", "URL from", "answered by", "route", "opened at"]
    return _table(columns, rows.values())


def two_witnesses(runs: Iterable[Evidence]) -> pandas.DataFrame:
    """One row per run and server: connections seen by probes, connections in the server's log, and writes."""
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
    """One row per run: what was run, the verdict on its isolation, and the reason."""
    rows = []
    for evidence in runs:
        ruling = isolation(evidence)
        rows.append([*_project(evidence), ", ".join(_run(evidence)), str(ruling.verdict), ruling.reason])
    return _table(["project", "attempt", "run", "verdict", "reason"], rows)


def crossed(
    runs: Mapping[str, Iterable[Evidence]],
    by: Callable[[Trial], str],
    of: Callable[[Evidence], object] | None = None,
    *,
    corner: str = "",
) -> Styler:
    """A row for each value of `by`, a column for each key of `runs`, and in each cell the trials' common verdict.

    With `of`, a cell has that function's value for each trial instead of the verdict on isolation; if trials differ, it
    has every value. A cell without a trial is empty.
    """
    columns = {title: _by_row(list(of_title), by, of) for title, of_title in runs.items()}
    rows = dict.fromkeys(row for cells in columns.values() for row in cells)
    table = _table([corner, *columns], [[row, *(cells.get(row, "") for cells in columns.values())] for row in rows])
    # Colours are assigned by id, which must differ between the tables of a page and be the same in every run.
    style = table.style.set_uuid(f"{crc32(table.to_json().encode()):08x}").map(_colour)
    return style.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])


def run_and_way(trial: Trial) -> str:
    """What a trial runs, and how it is started, in words."""
    return f"{_SELECTIONS[trial.selection]}, {_WAYS[trial.way]}"


def _by_row(
    runs: list[Evidence], by: Callable[[Trial], str], of: Callable[[Evidence], object] | None
) -> dict[str, str]:
    if of is None:
        return {row: str(ruling.verdict) for row, ruling in agreed_by(runs, by).items()}
    found: dict[str, dict[str, None]] = {}
    for evidence in runs:
        if evidence.trial is not None:
            found.setdefault(by(evidence.trial), {})[str(of(evidence))] = None
    return {row: " or ".join(values) for row, values in found.items()}


def way_to_the_rows(runs: Iterable[Evidence], test: str) -> pandas.DataFrame:
    """One row per run: the dependencies of a test's first request, and the origin of its query's session."""
    rows = []
    for evidence in runs:
        names = {known.callable: _callable(known) for known in evidence.callables}
        made = {session.session: evidence.chain(session) for session in evidence.sessions}
        sighting = next((one for one in evidence.in_requests() if one.use.test == test), None)
        if sighting is not None:
            supplied = [
                pair for chosen in evidence.dependencies if chosen.request == sighting.use.request
                for pair in chosen.supplied_by
            ]
            rows.append([
                ATTEMPTS[evidence.trial.attempt].title if evidence.trial else "",
                ", ".join(names.get(declared, declared) for declared, _ in supplied),
                ", ".join(names.get(override or declared, "") for declared, override in supplied),
                _place(made.get(sighting.use.session or "", ())[:1]),
                " ← ".join(_place((frame,)) for frame in sighting.engine_chain),
                sighting.side,
            ])
    columns = ["attempt", "the route asks for", "it is given", "session of the query", "its engine", "answered by"]
    return _table(columns, rows)


def overrides_met(runs: Mapping[str, Evidence]) -> pandas.DataFrame:
    """One row per run, labelled by its key: the app with the override, and the app that the first request used."""
    rows = []
    for title, evidence in runs.items():
        names = {known.callable: f"{known.name} ({known.file}:{known.line})" for known in evidence.callables}
        apps = {made.app: _app(evidence, made) for made in evidence.apps}
        asked = next(iter(evidence.dependencies), None)
        if asked is not None:
            held = [change for change in evidence.overrides if change.op == "set" and change.at_s < asked.at_s]
            (declared, override), *_ = asked.supplied_by
            rows.append([
                title,
                ", ".join(apps.get(change.app or "", "") for change in held),
                ", ".join(names.get(change.key, change.key) for change in held),
                apps.get(asked.provider or "", "no app"),
                names.get(declared, declared),
                "override" if override else "itself",
            ])
    return _table(["project", "override set on", "for", "the route asks", "for what", "and is given"], rows)


def _app(evidence: Evidence, made: App) -> str:
    return f"{made.app}: {' ← '.join(_place((frame,)) for frame in evidence.chain(made)[:2])}"


def _callable(known: Known) -> str:
    name = known.name.rpartition(".")[2]
    return f"{name} ({known.file}:{known.line})" if known.file else name


def _colour(value: object) -> str:
    """The timeline's colours behind the text, which keeps its page's colour and so is legible on any page."""
    return {
        "HOLDS": "background: rgba(11, 92, 173, .16)", "BROKEN": "background: rgba(217, 95, 2, .3); font-weight: bold",
    }.get(str(value), "")


def _run(evidence: Evidence) -> tuple[str, str]:
    if evidence.trial is None:
        return " ".join(evidence.command), ""
    return _SELECTIONS[evidence.trial.selection], _WAYS[evidence.trial.way]


def _project(evidence: Evidence) -> tuple[str, str]:
    if evidence.trial is None:
        return "", ""
    return " + ".join(evidence.trial.mechanisms) or "clean", ATTEMPTS[evidence.trial.attempt].title


def _variable(sighting: Sighting) -> str:
    variables = sighting.engine.variables if sighting.engine is not None else None
    return variables[0] if variables else ""


def _place(frames: tuple[Frame, ...]) -> str:
    return " ".join(f"{frame.file}:{frame.line}" for frame in frames)


def _table(columns: list[str], rows: Iterable[Sequence[object]]) -> pandas.DataFrame:
    import pandas

    # The first column is the row label; its name is in the corner, where a notebook has space for it.
    table = pandas.DataFrame(list(rows), columns=columns).set_index(columns[0])
    return table.rename_axis(index=None, columns=columns[0])
