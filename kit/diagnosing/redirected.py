"""Was every connection to a wrong database redirected to the replacement? Pure.

Where the replacement does not exist, a test ends there. A test that connects twice to a wrong database, the second time
past the variable that was changed, ends at the first of them, and the second is not seen: that run shows nothing of it.
So each engine must have been made for the replacement, and each connection without an engine must have been requested
there, by the same lines: those that hand on the URL.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterator

from kit.analysis.case import Case
from kit.analysis.databases import databases
from kit.detectors.planning.candidate import NOWHERE
from kit.evidence.model import Connection, Engine, Entry, Evidence, Frame
from kit.probes.allow import place_of

TextOf = Callable[[str], str | None]
_Lines = tuple[Frame, ...]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Calls that return another value each time.
_TAKING = {"next", "anext", "pop", "popleft", "popitem", "get_nowait", "readline"}
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def not_redirected(
    case: Case, wrong: Collection[str], tests: Collection[str], run: Evidence, text_of: TextOf
) -> Frame | None:
    """The line of a connection to a wrong database that was not redirected to the replacement; None if there is none.

    `case` is the first run, `wrong` are identities of databases, `tests` those that the run began.
    """
    look = _Look(case, text_of)
    asked, made = look.requests(run), _engines_of(case.evidence)
    wanted: dict[_Lines, Counter[tuple[str | None, str]]] = {}
    for connection in _to_wrong(case, wrong, tests):
        engines = made.get(connection.connection, [])
        lost = next((lines for lines in (look.not_made_anew(run, engine) for engine in engines) if lines), ())
        if lost:
            return lost[-1]
        if not engines:
            lines = look.lines(case.evidence, connection)
            wanted.setdefault(lines, Counter())[connection.test, connection.configured] += 1
    missing = (lines for lines, places in wanted.items() if lines and asked[lines] < look.times(lines, places))
    return next((lines[-1] for lines in missing), None)


def _to_wrong(case: Case, wrong: Collection[str], tests: Collection[str]) -> Iterator[Connection]:
    """The connections of these tests to wrong databases in the first run."""
    known = databases(case.evidence, case.allowed.folder)
    for connection in case.evidence.connections:
        database = known.get(connection.connection)
        if database is not None and database.id in wrong and connection.test in tests:
            yield connection


def _engines_of(evidence: Evidence) -> dict[str, list[Engine]]:
    """The engines of each connection whose URL names a database; one of which the URL does not is its creator's."""
    known = {engine.engine: engine for engine in evidence.engines if place_of(engine.url).database}
    found: dict[str, list[Engine]] = {}
    pairs = [(one.connection, one.engine) for one in evidence.connections]
    pairs += [(one.connection, one.engine) for one in evidence.uses]
    for connection, name in dict.fromkeys(pairs):
        if name in known:
            found.setdefault(connection, []).append(known[name])
    return found


class _Look:
    """The lines of the project behind an entry that hand on the URL."""

    def __init__(self, case: Case, text_of: TextOf) -> None:
        self._case, self._text_of = case, text_of
        self._known: dict[tuple[str, int], bool] = {}

    def requests(self, run: Evidence) -> Counter[_Lines]:
        """How often the replacement was requested by each sequence of lines; the most often in one test."""
        named: list[tuple[Entry, str]] = [(one, one.configured) for one in run.connections]
        named += [(one, one.configured) for one in run.failed_connections]
        named += [(one, one.database) for one in run.refusals if one.connection is None]
        each = Counter((one.test, self.lines(run, one)) for one, place in named if NOWHERE in place)
        most: Counter[_Lines] = Counter()
        for (_, lines), times in each.items():
            most[lines] = max(most[lines], times)
        return most

    def lines(self, evidence: Evidence, entry: Entry) -> _Lines:
        """From the innermost line outwards, up to the first that does not take the URL from its function's arguments.

        The tests' own lines that call the application do not count.
        """
        found: list[Frame] = []
        for frame in evidence.chain(entry):
            if frame.file.startswith("site-packages/"):
                continue
            if found and self._case.of_tests(frame.file):
                break
            found.append(Frame(frame.file, frame.line, frame.function))
            if not self._is_handed_on(frame):
                break
        return tuple(found)

    def times(self, lines: _Lines, places: Counter[tuple[str | None, str]]) -> int:
        """How many requests by these lines are needed in one test: one for each URL, or all that can have their own."""
        each = Counter(test for test, _ in places)
        if self._vary(lines):
            each = Counter({test: sum(times for (one, _), times in places.items() if one == test) for test in each})
        return max(each.values())

    def not_made_anew(self, run: Evidence, engine: Engine) -> _Lines:
        """The lines of an engine unless the run made it for the replacement, and none there as before."""
        lines = self.lines(self._case.evidence, engine)
        there = [one.url for one in run.engines if self.lines(run, one) == lines]
        before = [one for one in self._case.evidence.engines if self.lines(self._case.evidence, one) == lines]
        redirected = [url for url in there if NOWHERE in url]
        stays = any(place_of(url) == place_of(engine.url) for url in there)
        return lines if stays or len(redirected) < (len(before) if self._vary(lines) else 1) else ()

    def _vary(self, lines: _Lines) -> bool:
        return can_vary(self._text_of(lines[-1].file) or "", lines[-1].line)

    def _is_handed_on(self, frame: Frame) -> bool:
        place = frame.file, frame.line
        if place not in self._known:
            text = self._text_of(frame.file)
            self._known[place] = text is None or takes_arguments(text, frame.line)
        return self._known[place]


def takes_arguments(text: str, line: int) -> bool:
    """Whether the statement at a line uses an argument of a function around it, or what was made of one."""
    around, statement = _around(text, line, _FUNCTIONS)
    given = {name for node in around for name in _arguments(node)}
    return statement is None or _uses(statement, line, _with_made_of(given, around))


def can_vary(text: str, line: int) -> bool:
    """Whether the statement at a line can connect to several databases: by two like calls, or as a loop goes on."""
    around, statement = _around(text, line, _LOOPS)
    if statement is None:
        return True
    calls = [ast.dump(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)]
    if len(set(calls)) < len(calls) or (around and _takes(statement)):
        return True
    return _uses(statement, line, _with_made_of({name for node in around for name in _set_by(node)}, around))


def _around(text: str, line: int, kinds: tuple[type[ast.AST], ...]) -> tuple[list[ast.AST], ast.stmt | None]:
    """The nodes of these kinds around a line, and its statement; no statement for what is no Python."""
    try:
        nodes = [node for node in ast.walk(ast.parse(text)) if _covers(node, line)]
    except SyntaxError:
        return [], None
    statements = [node for node in nodes if isinstance(node, ast.stmt)]
    return [node for node in nodes if isinstance(node, kinds)], statements[-1] if statements else None


def _uses(statement: ast.stmt, line: int, given: set[str]) -> bool:
    return not given.isdisjoint(_names(statement, ast.Load, line if hasattr(statement, "body") else None))


def _with_made_of(given: set[str], around: Collection[ast.AST]) -> set[str]:
    """These names, and those that the functions give a value made of them."""
    steps = [node for function in around for node in ast.walk(function) if isinstance(node, ast.stmt | ast.NamedExpr)
             and not isinstance(node, _FUNCTIONS)]  # fmt: skip
    while True:
        more = {name for step in steps if not given.isdisjoint(_names(step, ast.Load)) for name in
                _names(step, ast.Store)} - given  # fmt: skip
        if not more:
            return given
        given = given | more


def _arguments(function: ast.AST) -> set[str]:
    return {node.arg for node in ast.walk(getattr(function, "args", function)) if isinstance(node, ast.arg)}


def _set_by(loop: ast.AST) -> set[str]:
    """The names that a loop or comprehension gives another value each time."""
    if isinstance(loop, ast.While):
        return _names(loop, ast.Store)
    targets = [one.target for one in getattr(loop, "generators", [loop]) if hasattr(one, "target")]
    taken = [node for node in ast.walk(loop) if isinstance(node, ast.Assign | ast.NamedExpr) and _takes(node.value)]
    return {name for node in (*targets, *taken) for name in _names(node, ast.Store)}


def _takes(node: ast.AST) -> bool:
    """Whether a call in it takes the next of several values."""
    calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return any(getattr(one, "attr", getattr(one, "id", None)) in _TAKING for one in calls)


def _names(node: ast.AST, context: type[ast.expr_context], line: int | None = None) -> set[str]:
    names = [one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, context)]
    return {one.id for one in names if line in (None, one.lineno)}


def _covers(node: ast.AST, line: int) -> bool:
    first: int = getattr(node, "lineno", 0)
    return first <= line <= (getattr(node, "end_lineno", None) or first)
