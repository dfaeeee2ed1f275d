"""From what the two witnesses wrote to evidence: the probes' files on one hand, the servers' logs on the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from kit import evidence as record
from kit.errors import EvidenceError
from kit.evidence import Backend, Evidence, Frame, Process
from kit.pair import LogLine, Pair
from kit.probes.identity import IDENTITY_MARK
from kit.probes.recorder import FORMAT as PROBES_FORMAT

_KINDS: Mapping[str, tuple[str, type[Any]]] = {
    "environment": ("variables", record.Variable),
    "engine": ("engines", record.Engine),
    "connection": ("connections", record.Connection),
    "refusal": ("refusals", record.Refusal),
    "change": ("changes", record.Change),
    "session": ("sessions", record.Session),
    "use": ("uses", record.Use),
    "app": ("apps", record.App),
    "request": ("requests", record.Request),
    "dependencies": ("dependencies", record.Dependencies),
    "override": ("overrides", record.Override),
    "callable": ("callables", record.Callable),
    "outcome": ("outcomes", record.Outcome),
}
_SHORT = {
    "connection": "c", "engine": "e", "session": "s", "request": "r", "number": "r", "within": "r", "app": "a",
    "provider": "a", "callable": "d", "dependency": "d", "override": "d", "key": "d", "by": "d",
}
_OWN_APPLICATIONS = "kit-"
_WRITING = ("insert", "update", "delete", "truncate", "create", "drop", "alter", "copy")


def from_probes(folder: Path, project: Path) -> Evidence:
    """Read the probes' files of one run; files of `project` are named from there.

    A line that is cut off, where a process was killed in mid-word, is left out and named in `problems`.
    """
    events, problems = _events(folder)
    reading = _Reading(project)
    for event in events:
        reading.take(event)
    entries: dict[str, Any] = {name: tuple(found) for name, found in reading.found.items()}
    return Evidence(
        processes=tuple(reading.processes.values()), stacks=tuple(reading.stacks), problems=tuple(problems),
        **entries,
    )


def from_logs(lines: Mapping[str, Iterable[LogLine]]) -> tuple[Backend, ...]:
    """Count, for each side and connection that is not the kit's own, the statements that its server logged."""
    return tuple(backend for side, found in lines.items() for backend in _backends(side, found))


def sides_of(pair: Pair) -> dict[str, str]:
    """Name the servers of a pair by their identity."""
    return {side.identity.server: side.name for side in pair.sides}


def _events(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the events of all processes in the order of time, each with the name of its file."""
    events: list[dict[str, Any]] = []
    problems = []
    for path in sorted(folder.glob("*.jsonl")):
        at_s = 0.0
        for line in path.read_bytes().splitlines():
            try:
                event = msgspec.json.decode(line)
            except msgspec.DecodeError:
                problems.append(f"a line of process {path.stem.partition('-')[0]} is cut off")
                continue
            at_s = event.setdefault("at_s", at_s)  # a stack has no time of its own: it belongs to the next event
            events.append({**event, "process": path.stem})
    return sorted(events, key=lambda event: event["at_s"]), problems


@dataclass
class _Reading:
    """Events on their way to entries: stacks are pooled over processes, names given anew as they appear."""

    project: Path
    processes: dict[str, Process] = field(default_factory=dict)
    stacks: list[tuple[Frame, ...]] = field(default_factory=list)
    found: dict[str, list[Any]] = field(default_factory=dict)
    _stack_numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    _pool: dict[tuple[Frame, ...], int] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        kind, process = event.pop("kind"), event.pop("process")
        if kind == "stack":
            self._pool_stack(process, event["id"], event["frames"])
        elif kind == "process":
            self._begin(process, event)
        elif kind == "probes":
            self._change(process, probes=tuple(event["installed"]))
        elif kind == "end":
            self._change(process, watched=tuple(event["watched"]), failures=event["failures"], ended=True)
        else:
            self._enter(kind, process, event)

    def _begin(self, process: str, event: dict[str, Any]) -> None:
        if event["format"] != PROBES_FORMAT:
            raise EvidenceError(
                f"The probes wrote format {event['format']}", wanted=f"format {PROBES_FORMAT}",
                remedy="use the probes and the kit of one version",
            )
        self.processes[process] = msgspec.convert(event, Process)

    def _change(self, process: str, **fields: Any) -> None:
        self.processes[process] = replace(self.processes[process], **fields)

    def _pool_stack(self, process: str, number: int, frames: list[list[Any]]) -> None:
        stack = tuple(Frame(self._named(file), line, function) for file, line, function in frames)
        if stack not in self._pool:
            self._pool[stack] = len(self.stacks)
            self.stacks.append(stack)
        self._stack_numbers[process, number] = self._pool[stack]

    def _enter(self, kind: str, process: str, event: dict[str, Any]) -> None:
        name, type_ = _KINDS[kind]
        for key, prefix in _SHORT.items():
            if isinstance(event.get(key), str):
                event[key] = self._short(prefix, event[key])
        if kind == "dependencies":
            event["supplied_by"] = [
                [self._short("d", declared), override and self._short("d", override)]
                for declared, override in event["supplied_by"]
            ]
        if "stack" in event:
            event["stack"] = self._stack_number(process, event["stack"])
        if kind == "callable" and event.get("file"):
            event["file"] = self._named(event["file"])
        event["process"] = list(self.processes).index(process)
        self.found.setdefault(name, []).append(msgspec.convert(event, type_))

    def _stack_number(self, process: str, number: int) -> int:
        known = self._stack_numbers.get((process, number))
        if known is None:  # its line was cut off
            self._pool_stack(process, number, [])
            known = self._stack_numbers[process, number]
        return known

    def _short(self, prefix: str, name: str) -> str:
        number = sum(1 for known, _ in self._names if known == prefix) + 1
        return self._names.setdefault((prefix, name), f"{prefix}{number}")

    def _named(self, file: str) -> str:
        return _named(file, self.project)


def _named(file: str, project: Path) -> str:
    """Name a file of a library from its site-packages, which stays in the name; one of the project from its folder."""
    for marker in ("site-packages", "dist-packages"):
        _, found, rest = file.rpartition(f"{os.sep}{marker}{os.sep}")
        if found:
            return f"site-packages/{rest}"
    for root in {str(project), os.path.realpath(project)}:
        if file.startswith(root + os.sep):
            return os.path.relpath(file, root)
    return file


def _backends(side: str, lines: Iterable[LogLine]) -> Iterator[Backend]:
    statements: dict[int, list[LogLine]] = {}
    for line in lines:
        if line.application.startswith(_OWN_APPLICATIONS) or IDENTITY_MARK in line.text:
            continue
        if line.kind == "statement":
            statements.setdefault(line.pid, []).append(line)
    for pid, found in statements.items():
        last = found[-1]
        yield Backend(
            side=side, pid=pid, database=last.database, user=last.user, application=last.application,
            statements=len(found), writes=sum(_writes(line.text) for line in found),
        )


def _writes(statement: str) -> bool:
    return statement.lstrip().lower().startswith(_WRITING)
