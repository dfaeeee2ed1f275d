"""A suite that measures its coverage has the same report with the probes, wherever their own files are."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from coverage import Coverage, CoverageData

from kit.probes.coverage_use import CoverageProbe
from kit.probes.hooks import Hooks
from kit.trials.workspace import INJECT
from tests.probes.seen import Seen, run

FILES = {
    "shop.py": """\
        import sqlite3

        def total(items):
            if not items:
                return 0
            connection = sqlite3.connect("it.db")
            return connection.execute("select ?", [sum(items)]).fetchone()[0]
        """,
    "never.py": "value = 1\n",
    "test_shop.py": """\
        import os, subprocess, sys, threading
        from shop import total

        def test_total():
            assert total([1, 2]) == 3

        def test_in_a_thread():
            thread = threading.Thread(target=total, args=([3],))
            thread.start()
            thread.join()

        def test_in_a_process():
            subprocess.run([sys.executable, "-c", "import shop; print(shop.total([]))"], check=True)
        """,
    "store.py": """\
        import json, sys
        from coverage import CoverageData
        data = CoverageData()
        data.read()
        found = {name: sorted(data.arcs(name) or data.lines(name)) for name in data.measured_files()}
        print(json.dumps(found))
        """,
}  # fmt: skip
OWN = str(Path(INJECT).parents[1])
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:pytest_fastapi_deps")
GUARD = ("-p", "kit-db-guard", "--db-guard", "-o", "db_guard_allow=*.db")
SETTINGS = {
    "none": "parallel = true\npatch = subprocess\n",
    "branches": "branch = true\nparallel = true\npatch = subprocess\n",
    "here, relative": "source = .\nrelative_files = true\nparallel = true\npatch = subprocess\n",
    "in python": "core = pytrace\n",
}


def measured(folder: Path, settings: str, how: str) -> dict[str, list[object]]:
    """Run the suite under coverage; the lines or arcs of each file, by its path in the project."""
    files = {**FILES, ".coveragerc": f"[run]\n{settings}"}
    environ = {}
    if how == "with a clone beside it":
        clone = folder / "project" / "clone" / "kit" / "probes"
        shutil.copytree(INJECT.parent, clone, ignore=shutil.ignore_patterns("__pycache__"))
        environ = {"PYTHONPATH": str(clone / "inject")}
    more = GUARD if how == "guarded" else ("-p", "no:kit-db-guard")
    probes = how not in ("guarded", "without")
    seen = run(folder, files, "-m", "coverage", "run", *PYTEST, *more, "test_shop.py", probes=probes, environ=environ)
    if "parallel" in settings:
        again(seen, "-m", "coverage", "combine", "-q")
    assert settings.startswith(f"source = {OWN}") or "already-imported" not in seen.errors
    found: dict[str, list[object]] = json.loads(again(seen, "store.py").output)
    return {name.removeprefix(f"{seen.folder}/"): lines for name, lines in found.items()}


def again(seen: Seen, *command: str) -> Seen:
    """Run another Python command in a project, without the probes."""
    shutil.rmtree(seen.files, ignore_errors=True)
    return run(seen.folder.parent, {}, *command, probes=False, python=sys.executable)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_report_is_the_same(tmp_path: Path, settings: str) -> None:
    """The same lines of the same files, with the probes from this clone and from one in the project's own folder."""
    without = measured(tmp_path / "without", SETTINGS[settings], "without")
    assert without["shop.py"]
    for how in ("with probes", "with a clone beside it"):
        found = measured(tmp_path / how, SETTINGS[settings], how)
        assert found == without, how


def test_the_report_of_a_guarded_suite_has_no_file_of_the_guard(tmp_path: Path) -> None:
    """What the guard does in the process is not measured, and the suite's own files are as without it."""
    without = measured(tmp_path / "without", SETTINGS["none"], "without")
    guarded = measured(tmp_path / "guarded", SETTINGS["none"], "guarded")
    assert guarded == without


def test_who_measures_the_probes_themselves_has_them_in_the_report(tmp_path: Path) -> None:
    """`source` names the kit: then its files are what is to be measured."""
    found = measured(tmp_path / "kit", f"source = {OWN}\n", "with probes")
    assert any(name.startswith(f"{OWN}/probes/") for name in found)


@pytest.mark.parametrize("source", [OWN, "elsewhere"])
def test_a_measurement_that_began_before_the_probes_is_asked_for_its_source(source: str) -> None:
    """Files of the kit that it had chosen by then are stored when it has ended, if they are what is to be measured."""
    running, hooks, stored = Coverage(None, config_file=False, source=[source]), Hooks(), CoverageData(no_disk=True)
    running.start()
    try:
        CoverageProbe(guard=True).install(hooks)
    finally:
        running.stop()
    try:
        stored.add_lines({f"{OWN}/guard/run.py": [1]})
    finally:
        hooks.remove()
    assert len(stored.measured_files()) == (source == OWN)
