"""A stack is what its lock names, made once and whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import kit.trials.stacks
from kit.errors import StackError, TrialError
from kit.trials.stacks import LOCKED, STACKS, environment, packages, stack
from kit.trials.stacks.calling import call
from kit.trials.stacks.environment import Environment, environment_of

LOCK = Path(kit.trials.stacks.__file__).with_name("2023-11.txt")
REPORTED = {
    "fastapi": "0.104.1",
    "sqlalchemy": "2.0.23",
    "pytest": "7.4.3",
    "pytest-asyncio": "0.21.1",
    "pytest-fastapi-deps": "0.2.3",
}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MAKE = f"""
import sys
from pathlib import Path
from kit.trials.stacks import environment
from kit.trials.stacks.environment import environment_of
environment.FITTING = ("{HERE}",)
made = environment_of(Path(sys.argv[1]), Path(sys.argv[2]))
print(made.directory, (made.directory / "complete.json").stat().st_mtime_ns)
"""


def locked(lock: str) -> dict[str, str]:
    """Return the block of each distribution in a lock, by its name."""
    blocks = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^#.*\n|^    #.*\n?", "", lock).strip())
    return {re.split(r"[=\[]", block)[0]: block for block in blocks}


def required(listed: str) -> dict[str, str]:
    """Return the version that a list gives each distribution, empty where it gives none."""
    lines = [re.sub(r"\[.*\]", "", line) for line in listed.splitlines() if line and not line.startswith("#")]
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


def installed(made: Environment) -> list[str]:
    """Return what an environment's own interpreter finds installed, the installer left out."""
    script = "from importlib.metadata import distributions as d; print(*(x.name + '==' + x.version for x in d()))"
    answer = subprocess.run([made.interpreter, "-c", script], capture_output=True, text=True, check=True)
    return sorted(name for name in answer.stdout.split() if not name.startswith(("pip==", "setuptools==")))


@pytest.fixture
def small_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one small distribution, with the hashes of the real one; its wheel fits every Python."""
    monkeypatch.setattr(environment, "FITTING", (HERE,))
    path = tmp_path / "small.txt"
    path.write_text(locked(LOCK.read_text())["iniconfig"] + "\n")
    return path


def test_the_lock_names_what_the_report_names() -> None:
    """The five versions of the report are in the lock."""
    blocks = locked(LOCK.read_text())
    assert {name: blocks[name].split()[0].split("==")[1] for name in REPORTED} == REPORTED


@pytest.mark.parametrize("name", LOCKED)
def test_everything_in_a_lock_has_hashes_and_no_address(name: str) -> None:
    """Each requirement is one version with hashes, and the lock says nothing of where to get it."""
    text = LOCK.with_name(f"{name}.txt").read_text()
    for distribution, block in locked(text).items():
        assert re.match(rf"{distribution}==\S+ .*\\\n", block)
        assert "--hash=sha256:" in block
    assert not re.search(r"https?://|file:|--(extra-)?index|--find-links|@ ", text)


@pytest.mark.parametrize("name", LOCKED)
def test_a_lock_follows_from_its_list(name: str) -> None:
    """Everything in the list is in the lock, at the version that the list gives, if any; all lists name the same."""
    blocks = locked(LOCK.with_name(f"{name}.txt").read_text())
    listed = [required(path.read_text()) for path in (LOCK.with_name(f"{name}.in"), LOCK.with_suffix(".in"))]
    for distribution, version_ in listed[0].items():
        assert blocks[distribution].startswith(f"{distribution}=={version_}")
    assert set(listed[0]) == set(listed[1])


def test_stacks_are_in_the_order_of_their_age() -> None:
    """The stacks with locks are named by their months, the oldest first, and each has its files."""
    assert list(LOCKED) == sorted(LOCKED)
    assert {path.stem for path in LOCK.parent.glob("*.txt")} == set(LOCKED) == set(STACKS) - {"current"}


@pytest.mark.parametrize("name", LOCKED)
def test_the_packages_of_a_stack_are_those_of_its_lock(name: str) -> None:
    """All of the lock that fits this system is installed, and the stack names it with its version, and Python's."""
    found = packages(stack(name))
    blocks = locked(LOCK.with_name(f"{name}.txt").read_text())
    lock = {name: block.split()[0].split("==")[1] for name, block in blocks.items()}
    assert found.pop("python") == stack(name).versions["python"]
    assert found.items() <= lock.items()
    assert set(lock) - set(found) <= {"async-timeout", "colorama", "tzdata"}  # for other systems and Pythons


def test_the_packages_of_the_current_stack_are_what_its_trials_use() -> None:
    """What the lists name is there, with what it requires, and nothing else of the environment."""
    found = packages(stack("current"))
    assert {name: found[name] for name in ("fastapi", "starlette", "greenlet", "psycopg-binary")} == {
        name: version(name) for name in ("fastapi", "starlette", "greenlet", "psycopg-binary")
    }
    assert not {"papermill", "jupyterlab", "pytest-xdist", "pip"} & set(found)


def test_the_current_stack_is_this_interpreter() -> None:
    """Trials of the current stack run with the interpreter and the versions that are running here."""
    current = stack("current")
    assert current.python == Path(sys.executable)
    assert {name: current.versions[name] for name in REPORTED} == {name: version(name) for name in REPORTED}


@pytest.mark.parametrize("name", ["2023-11"])
def test_the_reported_stack_is_what_it_says(name: str) -> None:
    """The stack's own interpreter finds the versions that the report names, and the stack tells the same."""
    reported = stack(name)
    script = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"
    answer = subprocess.run(
        [reported.python, "-c", script, *REPORTED], capture_output=True, text=True, check=True, env={}
    )
    assert answer.stdout.split() == list(REPORTED.values())
    assert {name: reported.versions[name] for name in REPORTED} == REPORTED
    assert reported.versions["python"].startswith(environment.FITTING)


def test_an_unknown_stack_is_refused() -> None:
    """A name that is not a stack's is refused with the list of those that are."""
    with pytest.raises(StackError, match=", ".join(STACKS)):
        stack("2019-01")


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_environment_holds_what_its_lock_names(
    small_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    """With uv and with pip alike, the environment holds the lock's distributions and no other."""
    if installer == "pip":
        monkeypatch.setattr(environment, "usable_uv", lambda: None)
    assert installed(environment_of(small_lock, tmp_path / "cache")) == ["iniconfig==2.0.0"]


def test_an_environment_is_made_once(small_lock: Path, tmp_path: Path) -> None:
    """Two processes that ask for the same environment at once get the same one, made by one of them."""
    command = [sys.executable, "-c", MAKE, str(small_lock), str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(answers) == 1


def test_another_lock_is_another_environment(small_lock: Path, tmp_path: Path) -> None:
    """An environment is found by what its lock says, so that a changed lock never gets the old one."""
    first = environment_of(small_lock, tmp_path / "cache")
    small_lock.write_text(small_lock.read_text() + "# changed\n")
    assert environment_of(small_lock, tmp_path / "cache").directory != first.directory


def test_an_interrupted_environment_is_made_anew(small_lock: Path, tmp_path: Path) -> None:
    """What was left of an environment that was never completed is taken away, and the environment made whole."""
    made = environment_of(small_lock, tmp_path / "cache")
    (made.directory / "complete.json").unlink()
    (made.packages / "left_over.py").touch()
    again = environment_of(small_lock, tmp_path / "cache")
    assert again == made
    assert not (again.packages / "left_over.py").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(small_lock: Path, tmp_path: Path) -> None:
    """An environment is used only while its interpreter is there."""
    made = environment_of(small_lock, tmp_path / "cache")
    made.interpreter.unlink()
    assert installed(environment_of(small_lock, tmp_path / "cache")) == ["iniconfig==2.0.0"]


def test_a_package_that_is_not_the_locked_one_is_refused(small_lock: Path, tmp_path: Path) -> None:
    """With hashes that fit nothing there is an error of one line, and no environment is left."""
    small_lock.write_text(re.sub(r"sha256:\w+", "sha256:" + "0" * 64, small_lock.read_text()))
    with pytest.raises(StackError, match=r"stack small could not be created.*To do: ") as caught:
        environment_of(small_lock, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_no_python_that_fits_is_said(small_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Python that the wheels fit, the error says which is wanted and how to get it."""
    monkeypatch.setattr(environment, "FITTING", ("3.98", "3.99"))
    with pytest.raises(StackError, match=r"Wanted: Python 3\.98 or 3\.99.*install"):
        environment_of(small_lock, tmp_path / "cache")


def test_another_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the running Python does not fit, those on PATH are asked for their version, whatever their names say."""
    for name, said in (("python3.11", "3.9.1"), ("python3.12", "3.12.4")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert environment.find_python("small", uv="uv").program == str(tmp_path / "python3.12")


def test_a_cache_that_cannot_be_written_is_said(small_lock: Path, tmp_path: Path) -> None:
    """Where the cache cannot be made, the error names the directory and the variable that moves it."""
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"file/cache: .*XDG_CACHE_HOME"):
        environment_of(small_lock, tmp_path / "file" / "cache")


# --- a notebook's function under a stack ------------------------------------------------------------------------------


def helper(word: str) -> str:
    return word.upper()


async def shouted(words: list[str]) -> list[str]:
    import asyncio

    await asyncio.sleep(0)
    print("what it prints is not its answer")
    return [helper(word) for word in words]


def failing(url: str) -> None:
    raise ValueError(f"no such server: {url}")


def waiting() -> None:
    import threading

    threading.Event().wait()


def version_of_sqlalchemy() -> str:
    import sqlalchemy

    return str(sqlalchemy.__version__)


def test_a_function_answers_from_the_stack() -> None:
    """Its source is run in a new interpreter, with what it uses, async or not; arguments and answer are JSON."""
    current = stack("current")
    assert call(current, shouted, [["a", "b"]], uses=[helper]) == ["A", "B"]
    assert call(current, version_of_sqlalchemy, []) == current.versions["sqlalchemy"]


def test_a_function_answers_from_the_stack_2023_11() -> None:
    """With the versions of the report, and not those of the process that asks."""
    reported = stack("2023-11")
    assert call(reported, version_of_sqlalchemy, []) == reported.versions["sqlalchemy"] == "2.0.23"


def test_a_function_that_fails_is_an_error_without_passwords() -> None:
    """The last lines of what it said are shown, with passwords hidden."""
    with pytest.raises(TrialError, match=r"failing failed on the stack current(.|\n)*no such server") as error:
        call(stack("current"), failing, ["postgresql://me:open-sesame@127.0.0.1/shop"])
    assert "open-sesame" not in str(error.value)


def test_a_function_that_does_not_end_is_an_error() -> None:
    """It is ended at its limit."""
    with pytest.raises(TrialError, match="waiting did not finish within 1 s"):
        call(stack("current"), waiting, [], timeout_s=1)
