"""Where a pair's things go, and what is said when there is no such place."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import PairError
from kit.pair import down, places, status
from kit.pair.places import Account, choose_data_base, data_bases, is_open_to, state_directory, state_file
from kit.pair.state_files import only_one

ROOT = Path(__file__).parents[2]
NOBODY = Account("nobody", 65534, 65534)


def with_room(monkeypatch: pytest.MonkeyPatch, room_mb: dict[Path, int]) -> None:
    monkeypatch.setattr(places, "data_bases", lambda: list(room_mb))
    monkeypatch.setattr(places, "free_mb", room_mb.__getitem__)


def test_the_first_place_with_comfortable_room_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory comes first, but not where it is short, as in a container with 64 MB of it."""
    with_room(monkeypatch, {Path("/a"): 64, Path("/b"): 5000, Path("/c"): 9000})
    assert choose_data_base(None) == Path("/b")


def test_the_roomiest_place_is_taken_when_none_is_comfortable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough room is enough."""
    with_room(monkeypatch, {Path("/a"): 130, Path("/b"): 140, Path("/c"): 20})
    assert choose_data_base(None) == Path("/b")


def test_too_little_room_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is named with what is free, what is wanted, and what to do."""
    with_room(monkeypatch, {Path("/a"): 3, Path("/b"): 1})
    with pytest.raises(PairError, match=r"/a has 3 MB free\. Wanted: 120 MB .* To do: .*KIT_DATA_DIR"):
        choose_data_base(None)


def test_a_chosen_place_is_the_only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KIT_DATA_DIR leaves no other choice."""
    monkeypatch.setenv("KIT_DATA_DIR", str(tmp_path))
    assert data_bases() == [tmp_path]


def test_a_chosen_place_is_the_same_from_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative KIT_DATA_DIR is meant from where the command runs; the supervisor has another working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT_DATA_DIR", "data")
    assert data_bases() == [tmp_path / "data"]


@pytest.mark.parametrize("user", [None, Account("oneself", os.getuid(), os.getgid())], ids=["as-oneself", "as-another"])
def test_a_place_that_is_not_there_has_no_room(
    user: Account | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A KIT_DATA_DIR that does not exist is an error that names it, for whomever the servers are to run."""
    monkeypatch.setenv("KIT_DATA_DIR", str(tmp_path / "missing"))
    with pytest.raises(PairError, match="missing does not exist"):
        choose_data_base(user)


def test_a_closed_directory_above_closes_what_is_below(tmp_path: Path) -> None:
    """A directory is open to another user only when all above it are."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    for place in (inner, inner.parent):
        place.chmod(0o755)
    shared = Path("/usr/bin")
    assert is_open_to(shared, NOBODY)
    inner.parent.chmod(0o700)
    assert not is_open_to(inner, NOBODY)


def test_a_place_that_the_servers_user_cannot_enter_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root, a place under a closed directory is no place for the servers' data."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("KIT_DATA_DIR", str(tmp_path))
    with pytest.raises(PairError, match="that the user nobody can enter"):
        choose_data_base(NOBODY)


def test_state_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The directory of the state file, which holds passwords, is made for this user alone."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path / "state"))
    assert state_directory() == state_file().parent == tmp_path / "state"
    assert state_directory().stat().st_mode & 0o777 == 0o700


def test_a_state_directory_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the directory and the variable that chooses another."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises(PairError, match="KIT_STATE_DIR"):
        state_directory()


def test_nothing_goes_into_the_project_or_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the places for data none is /tmp, and none lies in the project."""
    monkeypatch.delenv("KIT_DATA_DIR", raising=False)
    project = Path(__file__).parents[2]
    for place in data_bases():
        assert not place.is_relative_to(project)
        assert place.resolve() != Path("/tmp")


def test_ordinary_users_stay_who_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root becomes somebody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert places.account() is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = places.account()
    assert found is not None
    assert found.uid != 0


def test_room_is_counted_in_megabytes(tmp_path: Path) -> None:
    """Free room is what the system says, in millions of bytes."""
    assert abs(places.free_mb(tmp_path) - shutil.disk_usage(tmp_path).free // 1_000_000) < 1000


def test_a_closed_state_directory_is_an_error(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state cannot be looked at, as under the home that su leaves, nobody says that no pair is up."""
    monkeypatch.setenv("KIT_STATE_DIR", str(closed / "state"))
    for ask in (status, down, state_directory):
        with pytest.raises(PairError, match=r"Permission denied\. To do: set KIT_STATE_DIR"):
            ask()


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_user_without_name_and_home_is_told_what_to_do(tmp_path: Path, command: str) -> None:
    """With no HOME and no entry in the list of users, as in a container, each command says what it wants."""
    nameless = "import pwd; pwd.getpwuid = lambda number: {}[number]; from kit.cli import main; main(prog_name='kit')"
    environ = {"PATH": os.environ["PATH"], "KIT_DATA_DIR": str(tmp_path)}
    run = [sys.executable, "-c", nameless, command]
    answer = subprocess.run(run, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.fullmatch(r"kit: this user .* has no home directory: .* To do: set HOME to .*\n", answer.stderr)


def test_nothing_is_asked_of_a_home_as_modules_load(tmp_path: Path) -> None:
    """Every module of the kit loads for a user without name and home."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted((ROOT / "kit").rglob("*.py"))]
    elsewhere = re.compile(r"specimens\.project|__main__|inject|trials\.worker|guard\.plugin")  # no command loads them
    own = [name for name in names if not elsewhere.search(name)]
    nameless = "import pwd, importlib, sys; pwd.getpwuid = lambda number: {}[number]\n"
    nameless += "for name in sys.argv[1:]: importlib.import_module(name)"
    environ = {"PATH": os.environ["PATH"], "MPLCONFIGDIR": str(tmp_path)}
    run = [sys.executable, "-c", nameless, *own]
    answer = subprocess.run(run, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_root_without_a_user_to_switch_to_is_told_which_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small container may have neither postgres nor nobody; with one of them, that one is taken."""
    users: dict[str, pwd.struct_passwd] = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", users.__getitem__)
    with pytest.raises(PairError, match=r"neither a user postgres nor a user nobody\. .*useradd --system postgres"):
        places.account()
    users["nobody"] = pwd.struct_passwd(("nobody", "x", 65534, 65533, "", "/", "/bin/false"))
    assert places.account() == Account("nobody", 65534, 65533)


def test_only_a_user_without_a_name_borrows_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """initdb wants a name: that of some other user but root is borrowed where the system knows none."""
    named = pwd.struct_passwd(("other", "x", 1234, 1235, "", "/", "/bin/false"))
    root = pwd.struct_passwd(("root", "x", 0, 0, "", "/", "/bin/false"))
    users = {1000: named}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(pwd, "getpwuid", users.__getitem__)
    monkeypatch.setattr(pwd, "getpwall", lambda: [root, named])
    assert places.named_stand_in() is None
    users.clear()
    assert places.named_stand_in() == (1234, 1235)


def test_a_directory_of_its_group_is_open_to_a_user(tmp_path: Path) -> None:
    """Who is neither its owner nor anybody else enters a directory by the rights of its group."""
    found = tmp_path.stat()
    in_its_group = Account("member", found.st_uid + 1, found.st_gid)
    tmp_path.chmod(0o710)
    assert places._can_enter(tmp_path.stat(), in_its_group)
    tmp_path.chmod(0o701)
    assert not places._can_enter(tmp_path.stat(), in_its_group)


def test_a_lock_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where something else has the place of the lock, the path and the variable that moves it are named."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path))
    (tmp_path / "lock").mkdir()
    with pytest.raises(PairError, match=r"cannot write .*lock: .*KIT_STATE_DIR"), only_one():
        pass
