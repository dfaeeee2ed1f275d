"""The engines of a run: which names hold them, and what they share with one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kit.evidence.model import Engine, Evidence
from kit.report.chains import Box, Chain, Scene, box_at, chains_drawing, server_box
from kit.report.drawing import Drawing

_NOTE = (
    "Each row is an engine that was used, or several that were made alike: the names of the project that hold it or "
    "its factory, its connections and its sessions, and the server that answered."
)


def holders_drawing(runs: Mapping[str, Evidence]) -> Drawing:
    """Draw the engines of each run with their holders, their connections and the servers that answered."""
    shared = sorted({one for evidence in runs.values() for one in _shared(evidence)})
    used = sum(len(_used(evidence)) for evidence in runs.values())
    tables = sorted({table for evidence in runs.values() for table in _read_by_several(evidence)})
    held = sum(bool(_holders(evidence, engine)) for evidence in runs.values() for engine in _used(evidence))
    title = (
        f"No two of the {used} engines that were used share a connection or a session" if not shared
        else f"Of the {used} engines that were used, some share {', '.join(shared)}"
    )
    noun = "table" if len(tables) == 1 else "tables"
    same = f", though several read the same {noun}: {', '.join(tables)}" if tables else ""
    return chains_drawing(f"{title}{same}. Global names of the project hold {held} of them.", _NOTE, [
        Scene(name, tuple(_chain(evidence, alike) for alike in _alike(evidence))) for name, evidence in runs.items()
    ])


def _used(evidence: Evidence) -> tuple[Engine, ...]:
    used = {use.engine for use in evidence.uses}
    return tuple(engine for engine in evidence.engines if engine.engine in used)


def _shared(evidence: Evidence) -> Iterator[str]:
    """The connections and sessions that more than one engine used."""
    users: dict[str, set[str]] = {}
    for use in evidence.uses:
        for thing in filter(None, (use.connection, use.session)):
            users.setdefault(thing, set()).add(use.engine or "")
    return (thing for thing, engines in users.items() if len(engines) > 1)


def _read_by_several(evidence: Evidence) -> Iterator[str]:
    engines: dict[str, set[str | None]] = {}
    for use in evidence.uses:
        for table in use.tables:
            if not table.startswith("pg_"):
                engines.setdefault(table, set()).add(use.engine)
    return (table for table, users in engines.items() if len(users) > 1)


def _chain(evidence: Evidence, alike: Sequence[Engine]) -> Chain:
    """The chain of engines that were made at one place, are held alike, and led to the same servers."""
    engine = alike[0]
    where = next(iter(evidence.chain(engine)), None)
    held = ", ".join(_holders(evidence, engine)) or f"no global name; made in {_maker(evidence, engine)}"
    numbers = {_counted(evidence, one) for one in alike}
    own = " or ".join(f"{_many(connections, 'connection')} and {_many(sessions, 'session')}"
                      for connections, sessions in sorted(numbers))
    label = f"engine {engine.engine}" if len(alike) == 1 else f"engines {', '.join(one.engine for one in alike)}"
    ends = tuple(server_box(side) for side in _sides(evidence, engine))
    end = ends[0] if len(ends) == 1 else Box("answered by", "several servers", inside=ends)
    text = f"{'has' if len(alike) == 1 else 'each has'} {own} of its own"
    return (Box("held by", held), box_at(label, text, evidence, where), end)


def _alike(evidence: Evidence) -> Iterator[tuple[Engine, ...]]:
    groups: dict[tuple[object, ...], list[Engine]] = {}
    for engine in _used(evidence):
        key = (evidence.chain(engine)[:1], tuple(_holders(evidence, engine)), _sides(evidence, engine))
        groups.setdefault(key, []).append(engine)
    return (tuple(engines) for engines in groups.values())


def _holders(evidence: Evidence, engine: Engine) -> list[str]:
    held = (one for one in evidence.names if one.holds is not None and one.holds.engine == engine.engine)
    return list(dict.fromkeys(f"{one.module}.{one.name}" for one in held))


def _maker(evidence: Evidence, engine: Engine) -> str:
    where = next(iter(evidence.chain(engine)), None)
    return f"fixture {engine.fixture}" if engine.fixture else where.function if where else "a library"


def _counted(evidence: Evidence, engine: Engine) -> tuple[int, int]:
    uses = [use for use in evidence.uses if use.engine == engine.engine]
    return len({use.connection for use in uses}), len({use.session for use in uses} - {None})


def _sides(evidence: Evidence, engine: Engine) -> tuple[str | None, ...]:
    mine = (one for one in evidence.sightings() if one.engine is not None and one.engine.engine == engine.engine)
    return tuple(sorted({one.side for one in mine}, key=str))


def _many(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
