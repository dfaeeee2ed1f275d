"""The suite that a notebook diagnoses: the user's own, or the project under study if none is named."""

from __future__ import annotations

import atexit
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit import workfolder
from kit.errors import TraceError
from kit.pair import Pair
from kit.specimens.build import write_project
from kit.trials.stacks import stack

AS_REPORTED = ("global_engine", "ci_variable")


@dataclass(frozen=True, slots=True)
class Suite:
    """A command, its folder, and the databases that it may reach."""

    command: tuple[str, ...]
    folder: Path
    allow: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)


def suite(project: str, command: str, allow: str, pair: Pair | None, versions: str = "current") -> Suite:
    """The suite in a folder; "" stands for the project under study, as it was reported, on the pair's servers.

    `allow` has comma-separated entries; "" allows the pair's test database. `versions` names the stack whose
    interpreter runs the project under study. Raises TraceError when the folder does not exist.
    """
    entries = tuple(entry.strip() for entry in allow.split(",") if entry.strip())
    if project:
        folder = Path(project).expanduser().resolve()
        if not folder.is_dir():
            found = f"{project} is not a folder"
            raise TraceError(found, wanted="the folder of a project", remedy="set `project` to it")
        return Suite(tuple(shlex.split(command)), folder, entries, dict(os.environ))
    assert pair is not None
    own, _ = workfolder.make(Path(tempfile.gettempdir()), "kit-suite-")  # locked until this process ends
    atexit.register(workfolder.remove, own)
    folder = own / "project"  # a subfolder, because the folder itself contains the lock
    write_project(folder, AS_REPORTED, "dependency_override")
    test = pair.test
    environ = {
        **os.environ,
        "PYTHON": str(stack(versions).python),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"),
        "TEST_DATABASE_URL": test.url("asyncpg"),
    }
    return Suite(
        tuple(shlex.split(command)), folder, entries or (f"{test.host}:{test.port}/{test.database}",), environ
    )
