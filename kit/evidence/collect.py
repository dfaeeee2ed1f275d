"""Evidence from the records of the two witnesses: the probes' files and the servers' logs."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kit.evidence import model as record
from kit.evidence.model import Backend, Evidence, Frame, Process
from kit.evidence.probe_files import Event, ProcessFile, Unread, in_order, number_in, read
from kit.evidence.written import FILE, MODULE, STACK, Mark, events_of, reader_of
from kit.pair import LogLine, Pair
from kit.probes.identity import IDENTITY_MARK
from kit.probes.recorder import FORMAT as PROBES_FORMAT
from kit.typed import typed

_EVENTS = {
    event: (field, type_, reader_of(type_)) for event, (field, type_) in events_of(Evidence).items()
}
_NO_ENTRY = ("process", "stack", "probes", "end", "app_gone", "pooled")  # read separately, or not needed
_UNKNOWN = "(not in the record)"
_SHOWN_OF_KIND = 40  # characters
_OWN_APPLICATIONS = "kit-"
_WRITING = ("insert", "update", "delete", "truncate", "create", "drop", "alter", "copy")


def from_probes(folder: Path, project: Path) -> Evidence:
    """Read the probes' files of one run; names of files in `project` become relative to it.

    Unreadable lines are left out, counted, and named in `problems`: a line cut off because the process was killed, or
    one that the program wrote into the file.
    """
    unread = Unread()
    reading = _Reading(project, unread)
    with _collector_paused():
        reading.take_all([reading.begin(file) for file in read(folder, unread)])
    reading.complete()
    entries: dict[str, Any] = {name: tuple(found) for name, found in reading.found.items()}
    return Evidence(
        processes=tuple(reading.processes.values()), stacks=tuple(reading.stacks), problems=unread.sentences(),
        statements=reading.statements, **entries,
    )


def from_logs(lines: Mapping[str, Iterable[LogLine]]) -> tuple[Backend, ...]:
    """Count the logged statements of each connection that is not the kit's own, for each side."""
    return tuple(backend for side, found in lines.items() for backend in _backends(side, found))


def sides_of(pair: Pair) -> dict[str, str]:
    """The sides of a pair by their servers' identity."""
    return {side.identity.server: side.name for side in pair.sides}


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector while many values are made, none of them in a cycle: it would look for one in all."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_RawFrame = tuple[str, int, str, str | None]


@dataclass(frozen=True, slots=True)
class _Stack:
    id: int
    frames: tuple[_RawFrame, ...]


@dataclass
class _Reading:
    """Converts events to entries: pools the stacks of all processes, and renumbers names in order of appearance."""

    project: Path
    unread: Unread
    processes: dict[str, Process] = field(default_factory=dict)
    stacks: list[tuple[Frame, ...]] = field(default_factory=list)
    found: dict[str, list[Any]] = field(default_factory=dict)
    _stack_numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    _pool: dict[tuple[Frame, ...], int] = field(default_factory=dict)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _files: dict[str, str] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)

    def begin(self, file: ProcessFile) -> ProcessFile:
        """Read the identity and stacks of a process; return the file, without its events when its format is unknown."""
        headers = [event for event in file.events if event["kind"] == "process"]
        self._places[file.process] = len(self.processes)
        if not headers:
            self.unread.say(f"process {number_in(file.process)} did not report its identity")
        for _ in headers[1:]:
            self.unread.line(file.process, "a second beginning")
        self.processes[file.process] = self._process(file.process, headers[0] if headers else {})
        number = headers[0].get("format") if headers else PROBES_FORMAT
        if number != PROBES_FORMAT:
            self.unread.say(
                f"process {number_in(file.process)} wrote format {number!r}, and this version of the kit reads format "
                f"{PROBES_FORMAT}: none of its record was read (another version of the kit is in its environment)"
            )
            return ProcessFile(file.process, ())
        for event in file.events:
            if event["kind"] in _OF_PROCESS:
                self._try(_OF_PROCESS[event["kind"]], file.process, event)
        return file

    def take_all(self, files: list[ProcessFile]) -> None:
        """Convert the events of all files, each of which is released when it is an entry."""
        ends = [(file.process, event) for file in files for event in file.events if event["kind"] == "end"]
        waiting = in_order(files)
        files.clear()
        waiting.reverse()
        while waiting:
            self.take(*waiting.pop())
        # What a process writes at its end comes after everything that it refers to.
        for process, event in ends:
            self._try(_Reading._end, process, event)

    def take(self, process: str, event: Event) -> None:
        """Convert an event to an entry."""
        kind = event["kind"]
        if kind in _EVENTS:
            self._try(_Reading._enter, process, event)
        elif kind not in _NO_ENTRY:
            self.unread.line(process, f"of a kind unknown to this version of the kit ({kind[:_SHOWN_OF_KIND]})")

    def complete(self) -> None:
        """Add placeholders for callables that are used but not described, and report lost connections."""
        known = {one.callable for one in self.found.get("callables", ())}
        for name in self._names.get("d", {}).values():
            if name not in known:
                unknown = record.Callable(callable=name, name=_UNKNOWN, file=None, line=None)
                self.found.setdefault("callables", []).append(unknown)
        opened = {one.connection for one in self.found.get("connections", ())}
        lost = {use.connection for use in self.found.get("uses", ()) if use.connection not in opened}
        # Of many similar connections, the probes record only the first.
        if lost and not any("connection" in process.left_out for process in self.processes.values()):
            self.unread.say(f"connections were used whose opening is missing from the record ({len(lost)})")

    def _try(self, read: Callable[[_Reading, str, Event], None], process: str, event: Event) -> None:
        """Read an event; one that does not fit its kind is counted as unreadable."""
        try:
            read(self, process, event)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError):
            self.unread.line(process, f"invalid for its kind ({event['kind']})")

    def _process(self, process: str, header: Event) -> Process:
        number = number_in(process)
        unknown = Process(pid=int(number), ppid=0, argv=(), executable="", python="", parent=None)
        try:
            return typed(header, Process) if header else unknown
        except msgspec.ValidationError:
            self.unread.line(process, "invalid for its kind (process)")
            return unknown

    def _probes(self, process: str, event: Event) -> None:
        self._change(process, {"probes": event["installed"]})

    def _end(self, process: str, event: Event) -> None:
        self._change(process, {
            "ended": True, "watched": event["watched"], "failures": event["failures"], "left_out": event["left_out"],
        })
        for connection, count in typed(event["uses"], dict[str, int]).items():
            self.statements[self._short("c", connection)] = count

    def _change(self, process: str, fields: Mapping[str, Any]) -> None:
        known = self.processes[process]
        self.processes[process] = typed({**asdict(known), **fields}, Process)

    def _stack(self, process: str, event: Event) -> None:
        number, frames = typed(event, _Stack).id, typed(event, _Stack).frames
        self._pool_stack(process, number, frames)

    def _pool_stack(self, process: str, number: int, frames: Iterable[_RawFrame]) -> None:
        stack = tuple(Frame(self._named(file), line, function, library) for file, line, function, library in frames)
        if stack not in self._pool:
            self._pool[stack] = len(self.stacks)
            self.stacks.append(stack)
        self._stack_numbers[process, number] = self._pool[stack]

    def _enter(self, process: str, event: Event) -> None:
        name, type_, reader = _EVENTS[event["kind"]]
        if reader is not None:
            event = reader(event, partial(self._meant, process))
        event["process"] = self._places[process]
        self.found.setdefault(name, []).append(typed(event, type_))

    def _meant(self, process: str, mark: Mark, value: Any) -> Any:
        """The run-wide meaning of a value that is only valid within one process."""
        if mark is STACK:
            return self._stack_number(process, value)
        if mark is FILE:
            return self._named(value) if value else value
        if mark is not MODULE:
            return self._short(mark.of, value)
        return f"app {self._short('a', value[4:])}" if value.startswith("app ") else value

    def _stack_number(self, process: str, number: int) -> int:
        known = self._stack_numbers.get((process, number))
        if known is None:  # its line was cut off or lost
            self._pool_stack(process, number, [])
            known = self._stack_numbers[process, number]
        return known

    def _short(self, prefix: str, name: str) -> str:
        names = self._names.setdefault(prefix, {})
        short = names.get(name)
        if short is None:
            short = names[name] = f"{prefix}{len(names) + 1}"
        return short

    def _named(self, file: str) -> str:
        if file not in self._files:
            self._files[file] = _named(file, self.project)
        return self._files[file]


_OF_PROCESS: Mapping[str, Callable[[_Reading, str, Event], None]] = {
    "stack": _Reading._stack,
    "probes": _Reading._probes,
}


def _named(file: str, project: Path) -> str:
    """The name of a library's file from site-packages on, and of a project's file relative to the project."""
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
