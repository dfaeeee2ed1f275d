"""Run a small project with the probes in an interpreter of its own, and read what they wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kit.evidence import collect
from kit.evidence.model import Evidence
from kit.evidence.written import events_of
from kit.trials.workspace import INJECT
from tests.projects import LIGHT

TIMEOUT_S = 240
EVENTS = events_of(Evidence)
PROBED = os.environ.get("KIT_PROBED_PYTHON", sys.executable)  # the interpreter that runs the projects
PYTEST = ("-m", "pytest", *LIGHT)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: its result, and the events of all processes, each with `frames` for its stack."""

    folder: Path
    files: Path
    exit_code: int
    output: str
    errors: str
    events: tuple[dict[str, Any], ...] = field(repr=False)

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """The events of a kind with these fields."""
        return [
            event for event in self.events
            if event["kind"] == kind and all(event.get(name) == value for name, value in fields.items())
        ]  # fmt: skip

    def one(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The only event of a kind with these fields."""
        (event,) = self.of(kind, **fields)
        return event

    def places(self, event: Mapping[str, Any]) -> list[str]:
        """An event's frames as `file:line function`, innermost first, with files relative to the project."""
        return [f"{os.path.relpath(file, self.folder)}:{line} {name}" for file, line, name, _ in event["frames"]]

    def named(self, number: str | None) -> str | None:
        """The name of a callable, by its number."""
        return next((event["name"] for event in self.of("callable", callable=number)), None)

    def evidence(self) -> Evidence:
        """The evidence that the kit collects from the record."""
        return collect.from_probes(self.files, self.folder)

    def text(self) -> str:
        """The text of all records."""
        return "".join(path.read_text() for path in sorted(self.files.glob("*.jsonl")))


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def run(
    folder: Path, files: Mapping[str, str], *command: str, environ: Mapping[str, str] | None = None,
    probes: bool = True, without: Iterable[str] = (), python: str = PROBED, expect: int | None = 0,
) -> Seen:  # fmt: skip
    """Write a project and run a Python command in it; `expect` is its exit code, None for any."""
    project, seen = folder / "project", folder / "seen"
    seen.mkdir(parents=True)
    project.mkdir(exist_ok=True)
    write(project, files)
    done = subprocess.run(
        [python, *command], cwd=project, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        env={**environment(), **(injected(seen, without) if probes else {}), **(environ or {})},
    )  # fmt: skip
    if expect is not None:
        assert done.returncode == expect, done.stdout + done.stderr
    return Seen(project, seen, done.returncode, done.stdout, done.stderr, tuple(read(seen)))


def environment() -> dict[str, str]:
    """The part of this process's environment that projects get."""
    kept = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, "PYTHONDONTWRITEBYTECODE": "1"}


def injected(seen: Path, without: Iterable[str] = ()) -> dict[str, str]:
    """The variables that load the probes into a Python process."""
    return {
        "PYTHONPATH": str(INJECT), "ISOLATION_PROBES_DIR": str(seen), "ISOLATION_PROBES_EPOCH": "0",
        "ISOLATION_PROBES_WITHOUT": ",".join(without),
    }  # fmt: skip


def undefined(event: Mapping[str, Any]) -> set[str]:
    """The fields of an event that its dataclass does not have, so that nothing reads them."""
    if event["kind"] not in EVENTS:
        return set()
    return set(event) - {each.name for each in fields(EVENTS[event["kind"]][1])} - {"kind", "at_s", "late"}


def read(seen: Path) -> Iterable[dict[str, Any]]:
    """The events of all processes, file by file, each with its frames."""
    for path in sorted(seen.glob("*.jsonl")):
        stacks: dict[int, Any] = {}
        for line in path.read_text().splitlines():
            event = json.loads(line)
            if event["kind"] == "stack":
                stacks[event["id"]] = event["frames"]
            else:
                assert undefined(event) == set(), event
                yield {**event, "frames": stacks.get(event.get("stack"), []), "file_of_process": path.name}
