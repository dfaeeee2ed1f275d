"""The answer of a trace as one value, in the form that is written to JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kit.analysis.databases import Allowed, Database, databases
from kit.analysis.model import Finding, counted, explained_by
from kit.analysis.not_seen import Gap, gaps, hiding_gaps
from kit.analysis.overrides import Key, keys
from kit.analysis.reach import Reach, reaches
from kit.analysis.stopped import Stop, describe_guard, stops
from kit.analysis.url_source import made_at, source_of, writer
from kit.detectors.detection import findings
from kit.evidence.model import Engine, Evidence, Override

FORMAT = 2  # 1: first; 2: the routes are named "without a dependency" and "direct call"


@dataclass(frozen=True, slots=True)
class Entry:
    """An allow-list entry: whether it matched a reached database, and what it allows if it allows everything."""

    entry: str
    matched: bool
    lets_through: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The databases that were reached and by which routes, the overrides, the findings, and what was not seen."""

    evidence: Evidence
    allowed: Allowed
    reached: tuple[Reach, ...]
    databases: tuple[Database, ...]
    overrides: tuple[Key, ...]
    findings: tuple[Finding[object], ...]
    not_seen: tuple[Gap, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def stopped(self) -> tuple[Stop, ...]:
        """The connections that were refused before their first statement."""
        return stops(self.evidence)

    def is_only_refused(self, database: Database) -> bool:
        """Whether a database was requested and refused each time, so that nothing reached it."""
        return all(reach.stopped for reach in self.reached if reach.database.id == database.id)

    @property
    def hidden(self) -> tuple[Gap, ...]:
        """The gaps that can hide a database: a run with one is never called clean."""
        return hiding_gaps(self.not_seen)

    def judged(self, database: Database) -> bool | None:
        """Whether a database may be reached; None without an allow-list."""
        return self.allowed.judge(database)


def answer(evidence: Evidence, allowed: Allowed, folder: str = "") -> Answer:
    """Analyse the evidence of one run; `folder` is where the command ran."""
    known = databases(evidence, folder)
    reached = reaches(evidence, folder, known)
    found = tuple({database.id: database for database in known.values()}.values())
    return Answer(
        evidence,
        allowed,
        reached,
        found,
        keys(evidence),
        findings(evidence, reached, allowed),
        gaps(evidence, allowed),
        tuple(_entries(allowed, found)) if allowed.patterns is not None else (),
    )


def _entries(allowed: Allowed, found: Iterable[Database]) -> Iterator[Entry]:
    idle, wide = allowed.idle(found), dict(allowed.entries.unrestricted_entries())
    for entry in allowed.entries.entries:
        yield Entry(entry, entry not in idle, wide.get(entry, ""))


def describe_no_findings(answer: Answer) -> str:
    """The sentence for a run without findings: "Nothing wrong" only if everything was seen and judged."""
    if saw_nothing(answer):
        return "No test was run and no database was reached, so nothing can be concluded."
    unmatched = [key for key in answer.overrides if not key.matched]
    lasting = [database.name for database in answer.databases if database.lives_on]
    if answer.stopped:
        return f"Refused: {answer.stopped[0]}"
    if answer.hidden:
        more = f" ({len(answer.hidden) - 1} more under Not seen)" if len(answer.hidden) > 1 else ""
        return f"No finding, but not everything was seen: {answer.hidden[0].why}{more}."
    if uncollected := [one.test for one in answer.evidence.outcomes if one.when == "collect"]:
        more = f" and {len(uncollected) - 1} more" if len(uncollected) > 1 else ""
        return f"No finding, but {uncollected[0]}{more} could not be collected: no test of it was run."
    if unmatched:
        keys = f"{counted(len(unmatched), 'override key')} {'matches' if len(unmatched) == 1 else 'match'} nothing"
        return f"{keys}: the dependency that was to be replaced is used unchanged. There is no other finding."
    if answer.allowed.patterns is None and lasting:
        more = f" and {len(lasting) - 1} more" if len(lasting) > 1 else ""
        return (
            f"No finding. {lasting[0]}{more} was reached, and no allow-list was given: "
            "pass --allow DB to have each database judged."
        )
    return "Nothing wrong was found."


def saw_nothing(answer: Answer) -> bool:
    """Whether the run shows nothing: every test, if any, was skipped, and no database was reached or refused."""
    ran = any(outcome.outcome != "skipped" for outcome in answer.evidence.outcomes)
    return not ran and not answer.reached and not answer.stopped


def entry_remarks(answer: Answer) -> tuple[str, ...]:
    """Remarks on the allow-list: entries that allow everything, and entries that matched nothing."""
    wide = [
        f"--allow {one.entry} allows {one.lets_through}: none of it is judged wrong"
        for one in answer.entries
        if one.lets_through
    ]
    idle = [
        f"--allow {one.entry} matched no database that was reached" for one in answer.entries if not one.matched
    ]
    return (*wide, *idle)


def contract(answer: Answer, diagnosis: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The answer as plain values for JSON."""
    return {
        "format": FORMAT,
        "guard": {"by": answer.evidence.guard, "said": describe_guard(answer.evidence)},
        "refused": [_refused(stop) for stop in answer.stopped],
        "databases": [_database(answer, database) for database in answer.databases],
        "engines": [_engine(answer.evidence, engine) for engine in answer.evidence.engines],
        "overrides": [_override(answer.evidence, key) for key in answer.overrides],
        "findings": [_finding(finding) for finding in answer.findings],
        "diagnosis": diagnosis,
        "not_seen": [_gap(gap) for gap in answer.not_seen],
        "allow": [
            {"entry": one.entry, "matched": one.matched, "lets_through": one.lets_through} for one in answer.entries
        ],
        "problems": [str(gap) for gap in answer.hidden],
    }


def _refused(stop: Stop) -> dict[str, Any]:
    opener = stop.opener
    return {
        "database": stop.database, "allow": stop.entry, "test": stop.test, "phase": stop.phase, "count": stop.count,
        "why": stop.why, "done": stop.done, "file": opener.file if opener else None,
        "line": opener.line if opener else None, "function": opener.function if opener else None,
        "chain": [str(frame) for frame in stop.chain],
    }  # fmt: skip


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "what": gap.what, "name": gap.name, "why": gap.why, "to_do": gap.to_do, "hides": gap.hides, "test": gap.test,
        "file": gap.at.file if gap.at else None, "line": gap.at.line if gap.at else None,
    }  # fmt: skip


def _database(answer: Answer, database: Database) -> dict[str, Any]:
    opened = [reach for reach in answer.reached if reach.database.id == database.id]
    return {
        "id": database.id,
        "kind": database.kind,
        "name": database.name,
        "allowed": answer.judged(database),
        "observed": database.observed,
        "opened": [_opened(reach) for reach in opened],
    }


def _opened(reach: Reach) -> dict[str, Any]:
    opener = reach.opener
    return {
        "test": reach.test,
        "phase": reach.phase,
        "how": reach.how,
        "file": opener.file if opener else None,
        "line": opener.line if opener else None,
        "function": opener.function if opener else None,
        "engine": reach.engine.engine if reach.engine else None,
        "count": reach.count,
        "refused": reach.stopped,
        "chain": [str(frame) for frame in reach.chain],
    }


def _engine(evidence: Evidence, engine: Engine) -> dict[str, Any]:
    made = made_at(evidence, engine)
    return {
        "id": engine.engine,
        "file": made.file if made else None,
        "line": made.line if made else None,
        "url": engine.url,
        "url_source": _source(evidence, engine),
    }


def _source(evidence: Evidence, engine: Engine) -> dict[str, Any]:
    source = source_of(evidence, engine)
    found: dict[str, Any] = {"kind": source.kind, "name": source.variable, "also": list(source.also)}
    if source.written is not None:
        frames = evidence.chain(source.written)
        found |= {
            "written_by": writer(evidence, source.written),
            "file": frames[0].file if frames else None,
            "line": frames[0].line if frames else None,
            "when": "before the engine was made",
        }
    found["written_since"] = [
        {
            "written_by": writer(evidence, event),
            "test": event.test,
            "value": event.value,
            "after_s": round(event.at_s - engine.at_s, 3),
        }
        for event in source.since
    ]
    return found


def _override(evidence: Evidence, key: Key) -> dict[str, Any]:
    return {
        "key": key.name,
        "app": key.app,
        "matched": key.matched,
        "set_at": _places(evidence, key.changes),
        "nearest": key.nearest,
        "why": key.why,
    }


def _places(evidence: Evidence, changes: Iterable[Override]) -> list[str]:
    found = [evidence.chain(change) for change in changes if change.op != "removed"]
    return list(dict.fromkeys(f"{chain[0].file}:{chain[0].line}" for chain in found if chain))


def _finding(finding: Finding[object]) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "explained_by": explained_by(finding.kind),
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
        "evidence": [
            {"what": fact.what, "file": fact.file, "line": fact.line, "at_s": fact.at_s, "test": fact.test}
            for fact in finding.evidence
        ],
    }
