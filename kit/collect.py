"""From what the two witnesses wrote to evidence: the probes' files on one hand, the servers' logs on the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from kit.typed import typed

_KINDS: Mapping[str, tuple[str, type[Any]]] = {
    "environment": ("variables", record.Variable),
    "mode": ("modes", record.Variable),
    "engine": ("engines", record.Engine),
    "connect_listener": ("connect_listeners", record.ConnectListener),
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
    "connection_failed": ("failed_connections", record.FailedConnection),
    "foreign_loop": ("foreign_loops", record.ForeignLoop),
    "left_open": ("left_open", record.LeftOpen),
    "unseen": ("unseen", record.Unseen),
    "name": ("names", record.Name),
    "module": ("modules", record.Module),
    "settings_file": ("settings_files", record.SettingsFile),
    "folder": ("folders", record.Folder),
    "child": ("children", record.Child),
    "override_check": ("override_checks", record.OverrideCheck),
    "graph": ("graphs", record.Graph),
    "app_parts": ("app_parts", record.AppParts),
    "outcome": ("outcomes", record.Outcome),
}
_SHORT = {
    "connection": "c", "reader": "c", "writer": "c", "engine": "e", "session": "s", "reading": "s", "writing": "s",
    "request": "r", "number": "r", "within": "r", "app": "a", "provider": "a", "like": "a", "callable": "d",
    "dependency": "d", "override": "d", "key": "d", "by": "d", "of": "d", "inner": "d", "lifespan": "d",
    "loop": "l", "opened_on": "l", "used_on": "l", "object": "o", "attached_to": "c",
}
_ONLY_TOLD = ("app_gone", "not_seen", "pooled")  # what the probes' files hold and evidence does not need
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
        statements=reading.statements, **entries,
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
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _files: dict[str, str] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        kind, process = event.pop("kind"), event.pop("process")
        if kind == "stack":
            self._pool_stack(process, event["id"], event["frames"])
        elif kind == "process":
            self._begin(process, event)
        elif kind == "probes":
            self._change(process, probes=tuple(event["installed"]))
        elif kind == "end":
            self._end(process, event)
        elif kind not in _ONLY_TOLD and not (kind == "child" and "pid" in event):  # one for each process started
            self._enter(kind, process, event)

    def _begin(self, process: str, event: dict[str, Any]) -> None:
        if event["format"] != PROBES_FORMAT:
            raise EvidenceError(
                f"The probes wrote format {event['format']}", wanted=f"format {PROBES_FORMAT}",
                remedy="use the probes and the kit of one version",
            )
        self.processes[process] = typed(event, Process)

    def _end(self, process: str, event: dict[str, Any]) -> None:
        for connection, count in event["uses"].items():
            self.statements[self._short("c", connection)] = count
        self._change(
            process, watched=tuple(event["watched"]), failures=event["failures"], left_out=event["left_out"],
            ended=True,
        )

    def _change(self, process: str, **fields: Any) -> None:
        self.processes[process] = replace(self.processes[process], **fields)

    def _pool_stack(self, process: str, number: int, frames: list[list[Any]]) -> None:
        stack = tuple(Frame(self._named(file), line, function, library) for file, line, function, library in frames)
        if stack not in self._pool:
            self._pool[stack] = len(self.stacks)
            self.stacks.append(stack)
        self._stack_numbers[process, number] = self._pool[stack]

    def _enter(self, kind: str, process: str, event: dict[str, Any]) -> None:
        name, type_ = _KINDS[kind]
        self._shorten(event)
        if kind in _NESTED:
            _NESTED[kind](self, event)
        for key in ("stack", "written_at", "routed_at"):
            if key in event:
                event[key] = self._stack_number(process, event[key])
        if event.get("file"):
            event["file"] = self._named(event["file"])
        event["process"] = list(self.processes).index(process)
        self.found.setdefault(name, []).append(typed(event, type_))

    def _shorten(self, event: dict[str, Any]) -> None:
        for key in _SHORT.keys() & event.keys():
            if isinstance(event[key], str):
                event[key] = self._short(_SHORT[key], event[key])

    def _in_dependencies(self, event: dict[str, Any]) -> None:
        event["supplied_by"] = [
            [self._short("d", declared), override and self._short("d", override)]
            for declared, override in event["supplied_by"]
        ]

    def _in_check(self, event: dict[str, Any]) -> None:
        for key in ("matched", "missed"):
            event[key] = [self._short("d", call) for call in event[key]]
        event["known_as"] = [[self._short("d", call), name] for call, name in event.get("known_as", ())]

    def _in_graph(self, event: dict[str, Any]) -> None:
        event["routes"] = [
            {"path": path, "endpoint": endpoint and self._short("d", endpoint), "consulted": consulted,
             "calls": [self._short("d", call) for call in calls]}
            for path, endpoint, consulted, calls in event["routes"]
        ]

    def _in_parts(self, event: dict[str, Any]) -> None:
        if event["like"] is None:
            event["endpoints"] = [
                [path, endpoint and self._short("d", endpoint)] for path, endpoint in event["endpoints"]
            ]
            event["middleware"] = [self._short("d", call) for call in event["middleware"]]

    def _in_name(self, event: dict[str, Any]) -> None:
        for key in ("holds", "held_before"):
            if event[key] is not None:
                self._shorten(event[key])
        if event["module"].startswith("app "):
            event["module"] = f"app {self._short('a', event['module'][4:])}"

    def _in_engine(self, event: dict[str, Any]) -> None:
        event["files"] = event.get("files") and [
            [self._named(file), line, name] for file, line, name in event["files"]
        ]

    def _stack_number(self, process: str, number: int) -> int:
        known = self._stack_numbers.get((process, number))
        if known is None:  # its line was cut off
            self._pool_stack(process, number, [])
            known = self._stack_numbers[process, number]
        return known

    def _short(self, prefix: str, name: str) -> str:
        names = self._names.setdefault(prefix, {})
        return names.setdefault(name, f"{prefix}{len(names) + 1}")

    def _named(self, file: str) -> str:
        if file not in self._files:
            self._files[file] = _named(file, self.project)
        return self._files[file]


_NESTED: Mapping[str, Callable[[_Reading, dict[str, Any]], None]] = {
    "dependencies": _Reading._in_dependencies,
    "override_check": _Reading._in_check,
    "graph": _Reading._in_graph,
    "app_parts": _Reading._in_parts,
    "name": _Reading._in_name,
    "engine": _Reading._in_engine,
}


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
