"""Drivers that no adapter knows, each with a stand-in of its name: what connects by it is stopped, or said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from kit.probes.drivers.unprobed import UNPROBED, Unprobed
from tests.probes.seen import run
from tests.projects import LIGHT


def stand_ins() -> dict[str, str]:
    """The files of a module for each driver, with a function or a class that connects."""
    files: dict[str, str] = {}
    for driver in UNPROBED:
        parts = driver.module.split(".")
        for number in range(1, len(parts)):
            files.setdefault("/".join([*parts[:number], "__init__.py"]), "")
        name = "/".join(parts)
        name = f"{name}/__init__.py" if is_package(driver.module) else f"{name}.py"
        files[name] = files.get(name, "") + text_of(driver)
    return files


def is_package(module: str) -> bool:
    return any(other.module.startswith(f"{module}.") for other in UNPROBED)


def text_of(driver: Unprobed) -> str:
    kind, _, function = driver.function.rpartition(".")
    if not kind:
        return f"\ndef {function}(*args, **kwargs): print('connected')\n"
    return f"\nclass {kind}(globals().get('{kind}', object)):\n    def {function}(self, *args): print('connected')\n"


def calls() -> str:
    """A test for each row that connects."""
    tests = ["import importlib"]
    for number, driver in enumerate(UNPROBED):
        kind, _, function = driver.function.rpartition(".")
        call = f"{function}()" if not kind else f"{kind}()" + ("" if function == "__init__" else f".{function}()")
        tests.append(f"def test_{number}(): importlib.import_module('{driver.module}').{call}")
    return "\n".join(tests) + "\n"


def guarded(folder: Path, *drivers: str) -> tuple[dict[int, str], str]:
    """Run a test for each row under the guard, which allows these drivers: how each ended, and the output."""
    settings = f"[pytest]\ndb_guard_allow = test.db\ndb_guard_drivers = {' '.join(drivers)}\n"
    for name, text in {**stand_ins(), "test_it.py": calls(), "pytest.ini": settings}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--db-guard", *LIGHT], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}, timeout=120,
    )  # fmt: skip
    found = re.findall(r"^(PASSED|FAILED) test_it.py::test_(\d+)", ended.stdout, re.MULTILINE)
    return {int(number): end for end, number in found}, ended.stdout + ended.stderr


def test_each_is_stopped_by_its_name(tmp_path: Path) -> None:
    """What connects by a driver that cannot be judged fails its test, with the setting that allows it."""
    outcomes, output = guarded(tmp_path)
    expected = {number: "PASSED" if driver.is_store else "FAILED" for number, driver in enumerate(UNPROBED)}
    assert outcomes == expected, output
    for driver in UNPROBED:
        if driver.is_store:
            continue
        assert f"db_guard_drivers = {driver.name}" in output


def test_one_that_is_allowed_connects(tmp_path: Path) -> None:
    """A driver that the configuration names is let through, and no other."""
    outcomes, output = guarded(tmp_path, "pyodbc", "apsw")
    passed = {
        UNPROBED[number].name for number, end in outcomes.items() if end == "PASSED" and not UNPROBED[number].is_store
    }  # fmt: skip
    assert passed == {"pyodbc", "apsw"}, output


def test_each_is_said_once(tmp_path: Path) -> None:
    """In a run that is looked at they connect, and the record has each by its name as what was not seen."""
    program = calls() + "for name, test in list(globals().items()):\n    if name.startswith('test_'): test(), test()\n"
    seen = run(tmp_path, {**stand_ins(), "it.py": program}, "it.py")
    assert seen.output.count("connected") >= 2 * len(UNPROBED)
    for what, is_store in (("driver", False), ("store", True)):
        names = [event["name"] for event in seen.of("not_seen", what=what)]
        assert names == list(dict.fromkeys(driver.name for driver in UNPROBED if driver.is_store == is_store))


def test_each_is_stopped_in_a_run_with_an_allow_list(tmp_path: Path) -> None:
    """A re-run stops what it cannot judge: nothing connects by a driver without a probe, and each is written down."""
    program = calls() + (
        "for name, test in list(globals().items()):\n    if name.startswith('test_'):\n"
        "        try: test()\n        except Exception as error: print(type(error).__name__)\n"
    )
    allow = json.dumps({"allow": ["test.db"], "base": str(tmp_path)})
    seen = run(tmp_path, {**stand_ins(), "it.py": program}, "it.py", environ={"ISOLATION_PROBES_ALLOW": allow})
    stores = sum(driver.is_store for driver in UNPROBED)
    assert seen.output.count("connected") == stores
    assert seen.output.count("DatabaseRefused") == len(seen.of("refusal")) == len(UNPROBED) - stores
