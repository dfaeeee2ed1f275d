"""The answer of a trace for a terminal, and as GitHub annotations. Pure."""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections.abc import Iterator

from kit.analysis.databases import Database
from kit.analysis.model import Finding, counted, explained_by
from kit.analysis.not_seen import Gap
from kit.analysis.overrides import Key
from kit.analysis.reach import Reach
from kit.analysis.stopped import describe_guard
from kit.analysis.url_source import made_at, source_of, writer
from kit.answer.model import Answer, describe_no_findings, entry_remarks
from kit.evidence.model import Frame
from kit.probes.allow import entry_for_file, entry_for_server

WIDTH = 100  # columns
_ROUTES_AT_MOST = 8  # for each database; the JSON has all of them
_NOT_SEEN_AT_MOST = 12  # likewise
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
JUDGED = {True: "allowed", False: "NOT ALLOWED", None: "not judged"}


def text(answer: Answer, width: int = WIDTH) -> str:
    """The answer in lines of at most `width` columns."""
    return _shown(
        "\n".join(
            line
            for part in (
                _head(answer),
                _guard(answer, width),
                _databases(answer, width),
                _entries(answer, width),
                _overrides(answer, width),
                _findings(answer, width),
                _not_seen(answer, width),
            )
            for line in part
        )
        + "\n"
    )


def _shown(text: str) -> str:
    """Escape control characters that a terminal would interpret."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def github(answer: Answer) -> str:
    """The findings, and what was not seen, as GitHub workflow commands, which GitHub shows beside the lines."""
    guard = describe_guard(answer.evidence)
    notes = [f"::notice title=Database isolation::{_message(guard)}\n"] if guard else []
    return "".join((*map(_annotation, answer.findings), *map(_warning, answer.hidden), *notes))


def _warning(gap: Gap) -> str:
    return annotation("warning", (gap.at.file, gap.at.line) if gap.at is not None else None, "not seen", str(gap))


def _annotation(finding: Finding[object]) -> str:
    message = f"{finding.message} More: {explained_by(finding.kind)}"
    return annotation("error", (finding.file, finding.line), finding.kind, message)


def annotation(level: str, at: tuple[str | None, int | None] | None, title: str, message: str) -> str:
    """A GitHub workflow command: `level` is error, warning or notice, `at` an optional (file, line)."""
    file, line = at or (None, None)
    place = f"file={_property(file)},line={line}," if file and line else ""
    return f"::{level} {place}title={_property('Database isolation: ' + title)}::{_message(message)}\n"


def _message(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str | None) -> str:
    return _message(value or "").replace(":", "%3A").replace(",", "%2C")


def _head(answer: Answer) -> Iterator[str]:
    reached = {reach.test for reach in answer.reached if reach.test is not None and not reach.stopped}
    tests = {outcome.test for outcome in answer.evidence.outcomes} | reached  # one that was interrupted has no outcome
    refused = [database for database in answer.databases if answer.is_only_refused(database)]
    yield ""
    yield (
        f"{counted(len(answer.databases) - len(refused), 'database')} reached"
        f"{f', {len(refused)} refused' if refused else ''}; "
        f"{len(reached)} of {counted(len(tests), 'test')} reached one."
    )


def _guard(answer: Answer, width: int) -> Iterator[str]:
    yield from _wrapped(describe_guard(answer.evidence), width, "")
    for stop in answer.stopped:
        if not stop.connection:
            yield from _wrapped(f"- refused: {stop}", width, "  ", "    ")


def _databases(answer: Answer, width: int) -> Iterator[str]:
    for family in families(answer):
        yield ""
        yield from _wrapped(
            f"{JUDGED[answer.judged(family[0])]}: {describe_family(family)}  [{_kind(family[0])}]", width, "", "  "
        )
        if answer.judged(family[0]) is False:
            entry = shlex.quote(entry_of(answer, family[0]))
            yield from _wrapped(f"if it is a test database: --allow {entry}", width, "  ")
        yield from _routes(answer, family, width)


def entry_of(answer: Answer, database: Database) -> str:
    """An allow-list entry for a database; for a file in pytest's temporary folders, one for all files there."""
    if database.path is not None:
        of_pytest = re.match(r".*/pytest-of-[^/]+/", database.path)
        return f"{of_pytest[0]}*" if of_pytest else entry_for_file(database.path, answer.allowed.folder or os.getcwd())
    configured, observed, peer = database.asked[0] if database.asked else (f"any://{database.name}", None, None)
    return entry_for_server(configured, dict(observed) if observed is not None else None, peer)


def families(answer: Answer) -> list[list[Database]]:
    """Databases grouped by names that differ only in a number or temporary folder; disallowed ones first."""
    found: dict[tuple[object, ...], list[Database]] = {}
    for database in answer.databases:
        key = (answer.judged(database), database.kind, database.lives_on, without_number(database))
        found.setdefault(key, []).append(database)
    return sorted(found.values(), key=lambda family: answer.judged(family[0]) is not False)


def without_number(database: Database) -> str:
    """The name that identifies a family: a server's without generated numbers, a temporary file's without its folder.

    A file of the project keeps its full name.
    """
    if database.path:
        return os.path.basename(database.path) if os.path.isabs(database.name) else database.name
    server, slash, name = database.name.rpartition("/")
    return server + slash + re.sub(r"[0-9a-f]{8,}|(?<=_)\d+|(?<=gw)\d+", "", name)


def describe_family(family: list[Database]) -> str:
    """Describe a family of databases in one phrase."""
    return family[0].name + (f" and {len(family) - 1} more like it" if len(family) > 1 else "")


def _kind(database: Database) -> str:
    return database.kind + ("" if database.observed else ", identity unknown")


def routes_of(answer: Answer, family: list[Database]) -> list[list[Reach]]:
    """The reaches of a family, grouped by route, opening line, and the line that made the engine."""
    groups: dict[tuple[object, ...], list[Reach]] = {}
    identities = {database.id for database in family}
    for reach in answer.reached:
        if reach.database.id in identities:
            made = made_at(answer.evidence, reach.engine) if reach.engine is not None else None
            groups.setdefault((reach.how, reach.opener, made, reach.stopped), []).append(reach)
    return list(groups.values())


def _routes(answer: Answer, family: list[Database], width: int) -> Iterator[str]:
    groups = routes_of(answer, family)
    for reaches in groups[:_ROUTES_AT_MOST]:
        yield from _route(answer, reaches, width)
    if len(groups) > _ROUTES_AT_MOST:
        yield f"  ... and {counted(len(groups) - _ROUTES_AT_MOST, 'more route')} (--json lists them)"


def _route(answer: Answer, reaches: list[Reach], width: int) -> Iterator[str]:
    first = reaches[0]
    tests = list(dict.fromkeys(reach.test for reach in reaches if reach.test is not None))
    where = tests[0] if len(tests) == 1 else counted(len(tests), "test") if tests else f"outside tests ({first.phase})"
    yield from _wrapped(f"- {first.how}: {_frame(first.opener)} in {where}, {_count_of(reaches)}", width, "  ", "    ")
    if len(tests) > 1:
        yield from _wrapped(f"tests: {', '.join(tests[:3])}{' ...' if len(tests) > 3 else ''}", width, "      ")
    if len(first.chain) > 1:
        yield from _wrapped("called from " + ", ".join(_place(frame) for frame in first.chain[1:5]), width, "      ")
    if first.override is not None and first.dependency is not None:
        yield from _wrapped(f"{first.override.name} in place of {first.dependency.name}", width, "      ")
    elif first.dependency is not None:
        yield from _wrapped(f"through {first.dependency.name}, not overridden", width, "      ")
    if first.engine is not None:
        yield from _wrapped(describe_engine(answer, first), width, "      ")


def describe_engine(answer: Answer, reach: Reach) -> str:
    """Describe a reach's engine: where it was made, its URL, and the URL's source. The reach must have an engine."""
    assert reach.engine is not None
    evidence, engine = answer.evidence, reach.engine
    source = source_of(evidence, engine)
    made = made_at(evidence, engine)
    said = f"engine {engine.engine} made at {_frame(made)}, {engine.url}"
    if source.variable is None:
        return said
    said += f", from {source.named}"
    if source.written is not None:
        said += f" (last written by {writer(evidence, source.written)})"
    if source.since:
        said += f"; written again later by {writer(evidence, source.since[0])}, too late for this engine"
    return said


def _count_of(reaches: list[Reach]) -> str:
    count = sum(reach.count for reach in reaches)
    return ("once" if count == 1 else f"{count} times") + (", refused" if reaches[0].stopped else "")


def _overrides(answer: Answer, width: int) -> Iterator[str]:
    unmatched = [key for key in answer.overrides if not key.matched]
    if not answer.overrides:
        return
    yield ""
    yield _describe_overrides(len(answer.overrides), len(unmatched))
    for key in unmatched:
        yield from _key(key, width)


def _describe_overrides(keys: int, unmatched: int) -> str:
    if not unmatched:
        return "1 override key, matched by a dependency." if keys == 1 else f"{keys} override keys, each matched."
    return f"{counted(keys, 'override key')}; {unmatched} {'matches' if unmatched == 1 else 'match'} no dependency:"


def _key(key: Key, width: int) -> Iterator[str]:
    nearest = f"; the nearest dependency is {key.nearest}" if key.nearest else ""
    yield from _wrapped(f"- {key.name} on app {key.app}{nearest}", width, "  ", "    ")


def _findings(answer: Answer, width: int) -> Iterator[str]:
    yield ""
    if not answer.findings:
        yield from _wrapped(describe_no_findings(answer), width, "")
        return
    has_list = answer.allowed.patterns is not None
    unsaid = "" if has_list else " No allow-list given: pass --allow DB to have each database judged."
    yield from _wrapped(f"{counted(len(answer.findings), 'finding')}.{unsaid}", width, "")
    for number, finding in enumerate(answer.findings, 1):
        yield ""
        yield f"{number}. {finding.kind}  {finding.where}"
        yield from _wrapped(finding.message, width, "   ")
        yield f"   More: {explained_by(finding.kind)}"


def _not_seen(answer: Answer, width: int) -> Iterator[str]:
    if answer.not_seen:
        yield ""
        yield "Not seen:"
        for gap in answer.not_seen[:_NOT_SEEN_AT_MOST]:
            yield from _wrapped(f"- {gap}", width, "  ", "    ")
        if len(answer.not_seen) > _NOT_SEEN_AT_MOST:
            yield f"  ... and {len(answer.not_seen) - _NOT_SEEN_AT_MOST} more (--json lists them)"


def _entries(answer: Answer, width: int) -> Iterator[str]:
    for said in entry_remarks(answer):
        yield ""
        yield from _wrapped(f"{said}.", width, "")


def _frame(frame: Frame | None) -> str:
    return "no code of the project" if frame is None else f"{_place(frame)} {frame.function.rpartition('.')[2]}"


def _place(frame: Frame) -> str:
    return f"{frame.file}:{frame.line}"


def _wrapped(line: str, width: int, indent: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        initial_indent=indent,
        subsequent_indent=indent if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
