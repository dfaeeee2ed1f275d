"""Note on an engine that was made by the line that wrote a piece of state, and that other tests use. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kit.diagnosing.order.model import Piece
from kit.evidence.model import Engine, Evidence
from kit.probes.allow import place_of

_AT_MOST = 3  # tests that are named


def with_engines(first: Evidence, piece: Piece) -> Piece:
    """Return a piece with a note on each engine that the first run made at the line that wrote the piece."""
    if piece.is_outside or not piece.written:
        return piece
    line = piece.written[0]
    made = [
        engine for engine in first.engines
        if any((frame.file, frame.line) == (line.file, line.line) for frame in first.chain(engine))
    ]  # fmt: skip
    return replace(piece, notes=(*piece.notes, *(note for engine in made for note in _notes(first, engine))))


def _notes(first: Evidence, engine: Engine) -> Iterator[tuple[str, str, int]]:
    tests = list(dict.fromkeys(use.test for use in first.uses if use.engine == engine.engine and use.test))
    others = [test for test in tests if test != engine.test]
    if not others or engine.test is None:
        return
    more = f" and {len(others) - _AT_MOST} more" if len(others) > _AT_MOST else ""
    where = first.chain(engine)[0]
    database = place_of(engine.url).database or engine.url
    yield (
        f"the engine made here in {engine.test}, for {database}, is kept and also answers in "
        f"{', '.join(others[:_AT_MOST])}{more}", where.file, where.line,
    )  # fmt: skip
