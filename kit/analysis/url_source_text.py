"""Describe where a database's URL came from: a variable, its default, a file, parts, or the source."""

from __future__ import annotations

from kit.analysis.model import first
from kit.analysis.reach import Reach
from kit.analysis.url_source import named_in_files, parts_of, url_source_of, writer
from kit.evidence.model import Evidence


def describe_url_source(evidence: Evidence, reach: Reach) -> str:
    """The clause about the URL of a reach; it begins with "its URL"."""
    source, engine = url_source_of(evidence, reach), reach.engine
    if source.kind == "variable" and source.written is not None:
        return f"its URL comes from {source.named}, last written by {writer(evidence, source.written)}"
    if source.kind == "default" and source.asked is not None:
        asked = first(evidence.chain(source.asked))
        return f"its URL is the default for {source.variable}, which was not set at {asked or 'its reader'}"
    lines = named_in_files(evidence, engine) if engine is not None else []
    if lines:
        file, line, name, _ = lines[0]
        return f"its URL comes from {name} in {file}:{line}"
    made, url = (engine, engine.url) if engine is not None else (reach.connection, reach.connection.configured)
    parts = parts_of(evidence, made, url)
    if parts:
        held = ", ".join(f"{part} from {event.name}={event.value}" for part, event in parts.items())
        return f"its URL is built from parts ({held})"
    holder = f", as {engine.held_by[0]}" if engine is not None and engine.held_by else ""
    return f"its URL comes from no variable and no settings file: it is written in the program{holder}"
