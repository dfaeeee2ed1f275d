"""The embedded pair: two servers that are up, closed to all but their passwords, and sure of who they are."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from kit.errors import PairError
from kit.pair import IDENTITY_SQL, SEEDED_SITES, Pair, Side, embedded, open_pair
from kit.pair.binaries import WHEELS
from kit.pair.connect import connect, identify
from kit.pair.embedded import free_ports, open_embedded
from kit.pair.model import DATABASES, USERS
from kit.pair.places import account, choose_data_base

PROJECT = Path(__file__).parents[2]


def rows(side: Side, statement: str) -> list[tuple[object, ...]]:
    with connect(side.url()) as connection:
        return connection.execute(statement.encode()).fetchall()


def servers(pair: Pair) -> list[psutil.Process]:
    found = []
    for side in pair.sides:
        assert side.log is not None
        pid_file = side.log.parent / side.name / "postmaster.pid"
        found.append(psutil.Process(int(pid_file.read_text().split()[0])))
    return found


def test_production_has_its_sites_and_test_has_none(pair: Pair) -> None:
    """Both sides have the table; production has 731 rows numbered from 1, and test is empty."""
    numbers = "select count(*), min(id), max(id), count(distinct url) from sites"
    assert rows(pair.production, numbers) == [(SEEDED_SITES, 1, SEEDED_SITES, SEEDED_SITES)]
    assert rows(pair.test, "select count(*) from sites") == [(0,)]


def test_both_sides_have_the_reports_names(pair: Pair) -> None:
    """Databases and roles are those that the report and the containers name."""
    assert {side.name: side.database for side in pair.sides} == DATABASES
    assert {side.name: side.user for side in pair.sides} == USERS


def test_each_side_is_a_server_of_its_own(pair: Pair) -> None:
    """System identifier, cluster name and port differ, and the cluster name carries the side."""
    production, test = (side.identity for side in pair.sides)
    assert production.system_identifier != test.system_identifier
    assert production.cluster_name.startswith("kit-production-")
    assert test.cluster_name.startswith("kit-test-")
    assert production.port != test.port


def test_two_runs_are_told_apart(pair: Pair) -> None:
    """A second pair from the same templates has other system identifiers, cluster names, passwords and ports."""
    with open_embedded() as other:
        assert len({side.identity.system_identifier for side in (*pair.sides, *other.sides)}) == 4
        for side, same in zip(pair.sides, other.sides, strict=True):
            assert side.identity.server != same.identity.server
            assert side.password != same.password
            assert side.port != same.port
            with pytest.raises(PairError, match="refused the password"):
                identify(same.url().replace(same.password, side.password))


def test_the_plain_role_learns_every_mark(pair: Pair) -> None:
    """The identity query needs no superuser, and its answer is what the side holds and all text."""
    for side in pair.sides:
        (row,) = rows(side, IDENTITY_SQL)
        assert all(isinstance(value, str) for value in row)
        found = identify(side.url())
        assert found.server == side.identity.server
        assert (found.port, found.host, found.database, found.user) == (side.port, side.host, side.database, side.user)
        assert rows(side, "select usesuper from pg_user where usename = current_user") == [(False,)]


def test_a_backend_is_known_by_its_process(pair: Pair) -> None:
    """The identity holds the number of the process that answered it."""
    with connect(pair.test.url()) as connection:
        row = connection.execute(IDENTITY_SQL.encode()).fetchone()
        assert row is not None
        assert row[-1] == str(connection.info.backend_pid)


def test_no_client_can_take_the_other_sides_name(pair: Pair) -> None:
    """A session cannot change cluster_name, by a statement or with the connection."""
    with connect(pair.test.url()) as connection, pytest.raises(psycopg.errors.CantChangeRuntimeParam):
        connection.execute("set cluster_name = 'kit-production-1'")
    with pytest.raises(PairError, match="cannot be changed"):
        connect(pair.test.url(), options="-c cluster_name=kit-production-1")


@pytest.mark.parametrize("name", ["url", "admin"])
def test_every_role_needs_its_password(pair: Pair, name: str) -> None:
    """Neither the plain role nor the superuser gets in with a wrong password or none, and the error repeats neither."""
    for side in pair.sides:
        url = side.url() if name == "url" else side.admin or ""
        password = re.sub(r".*://[^:]*:([^@]*)@.*", r"\1", url)
        for wrong in ("wrong", ""):
            with pytest.raises(PairError) as raised:
                connect(url.replace(password, wrong))
            assert password not in str(raised.value)
            assert "wrong" not in str(raised.value)


def test_passwords_are_kept_as_scram(pair: Pair) -> None:
    """Every password is stored and checked by SCRAM, on TCP connections of all kinds."""
    for side in pair.sides:
        with connect(side.admin or "") as connection:
            kept = connection.execute("select rolpassword from pg_authid where rolcanlogin").fetchall()
            assert len(kept) == 2
            assert all(str(verifier).startswith("SCRAM-SHA-256$") for (verifier,) in kept)
            methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
            assert methods == [("scram-sha-256",)]


def test_servers_listen_on_the_loopback_alone(pair: Pair) -> None:
    """No other address and no unix socket leads to a server."""
    for server in servers(pair):
        listening = {one.laddr.ip for one in server.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert not [one for one in server.net_connections("unix") if one.laddr]


def test_servers_run_as_an_ordinary_user(pair: Pair) -> None:
    """Servers do not run as root, whoever started them, and with no right to anybody else's data."""
    user = account()
    for side, server in zip(pair.sides, servers(pair), strict=True):
        assert server.uids().real != 0
        assert server.uids().real == (user.uid if user is not None else os.geteuid())
        assert side.log is not None
        assert (side.log.parent / side.name).stat().st_mode & 0o777 == 0o700


def test_nothing_is_left_in_the_project_or_tmp() -> None:
    """While a pair is up and after it, neither the project's folder nor /tmp has a new entry of the pair's."""

    def seen() -> set[str]:
        return {path for place in (PROJECT, Path("/tmp")) for path in os.listdir(place) if "kit-pair" in path}

    before = seen()
    with open_embedded() as pair:
        assert pair.test.log is not None
        assert not pair.test.log.is_relative_to(PROJECT)
        assert pair.test.log.parent.parent != Path("/tmp")
        assert seen() == before
    assert seen() == before


def test_no_password_is_seen_by_others(pair: Pair) -> None:
    """Passwords are in no log, no process's arguments, and no error; logs are the owner's alone."""
    secrets = [side.password for side in pair.sides] + [re.split("[:@]", side.admin or "")[2] for side in pair.sides]
    assert all(len(secret) == 48 for secret in secrets)
    for side, server in zip(pair.sides, servers(pair), strict=True):
        assert side.log is not None
        assert side.log.stat().st_mode & 0o077 == 0
        shown = side.log.read_text() + " ".join(server.cmdline()) + " ".join(server.environ().values())
        assert not [secret for secret in secrets if secret in shown]
        assert "SCRAM-SHA-256$" not in shown


def test_fixed_ports_are_taken_when_asked_for() -> None:
    """Two ports that are given are the ports of production and test, in this order."""
    first, second = free_ports(2)
    with open_pair(ports=(first, second)) as pair:
        assert [side.port for side in pair.sides] == [first, second]
        assert identify(pair.test.url()).port == second


def test_a_taken_port_is_named() -> None:
    """A fixed port that somebody has is an error that names it, and nothing is left."""
    (free,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PairError, match=f"the server test did not start: the port {port} is taken"):
            embedded.start((free, port))


def test_a_free_port_that_is_lost_is_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between choosing a free port and taking it somebody may be faster: another is chosen."""
    choose = embedded.free_ports
    with socket.create_server(("127.0.0.1", 0)) as taken:
        lost = [taken.getsockname()[1], *choose(1)]
        monkeypatch.setattr(embedded, "free_ports", lambda count: [lost.pop(0), lost.pop(0)] if lost else choose(count))
        with open_embedded() as pair:
            assert lost == []
            assert pair.production.port != taken.getsockname()[1]


def test_many_pairs_start_at_once() -> None:
    """Pairs that start at the same moment do not meet."""
    with ThreadPoolExecutor(3) as executor:
        started = list(executor.map(lambda _: embedded.start(), range(3)))
    with ExitStack() as closing:
        for running in started:
            closing.callback(running.close)
        found = {identify(side.url()).server for running in started for side in running.pair.sides}
        assert len(found) == 6


def test_a_first_start_and_a_warm_one_give_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With nothing cached both sides are made anew; the next pair, from templates, is equal but for its run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    content = "select md5(string_agg(sites::text, ',' order by id)), count(*) from sites"
    with open_embedded() as first:
        made = [rows(side, content) for side in first.sides]
    with open_embedded() as warm:
        assert [rows(side, content) for side in warm.sides] == made
        assert [side.password for side in warm.sides] != [side.password for side in first.sides]


def test_templates_are_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A template's files are for their owner alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open_embedded():
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in kept) == ["production.tar", "template.json", "test.tar"]
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


def _cut(path: Path) -> None:
    os.truncate(path / "test.tar", 1000)


def _lose(path: Path) -> None:
    (path / "test.tar").unlink()


def _garble(path: Path) -> None:
    (path / "template.json").write_text("{")


@pytest.mark.parametrize("damage", [_cut, _lose, _garble])
def test_a_damaged_template_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """A template that cannot be used costs time and nothing else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open_embedded():
        (template,) = tmp_path.glob("*/template-*")
    damage(template)
    for _ in range(2):
        with open_embedded() as pair:
            assert rows(pair.production, "select count(*) from sites") == [(SEEDED_SITES,)]


def test_a_cache_that_cannot_be_written_costs_only_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a place for templates every start is a first one."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with open_embedded() as pair:
        assert rows(pair.production, "select count(*) from sites") == [(SEEDED_SITES,)]


def test_a_client_that_goes_away_in_mid_query_is_noticed(pair: Pair) -> None:
    """Both servers look for gone clients every half second, so that killed trials leave no running query."""
    for side in pair.sides:
        assert rows(side, "show client_connection_check_interval") == [("500ms",)]


def test_other_programs_serve_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every usable installation on this machine gives the same pair."""
    from kit.pair.binaries import find, system_directories, wheel_directories

    for directory in [*wheel_directories(), *system_directories()]:
        monkeypatch.setenv("KIT_POSTGRES_BIN", str(directory))
        version = find(account()).version
        with open_embedded() as pair, open_embedded() as other:
            assert pair.test.identity.version.startswith(f"{version[0]}.")
            assert rows(other.production, "select count(*) from sites") == [(SEEDED_SITES,)]
            assert len({side.identity.system_identifier for side in (*pair.sides, *other.sides)}) == 4


def test_importing_the_pair_loads_no_driver() -> None:
    """Neither a driver nor the wheel is imported before a server is asked something."""
    program = "import sys, kit.pair; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"psycopg", "asyncpg", *WHEELS} & set(answer.stdout.split())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the servers' user can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="kit-tests-Prüfstände-", dir=choose_data_base(account())))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_letters_beyond_the_locale_harm_nobody(open_folder: Path) -> None:
    """In a locale of ASCII alone, with UTF-8 mode off, a pair comes up in folders whose names have other letters."""
    environ = {
        "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "KIT_DATA_DIR": str(open_folder),
        "KIT_STATE_DIR": str(open_folder / "state"), "XDG_CACHE_HOME": str(open_folder / "cache"),
    }  # fmt: skip
    for command in ("up", "status", "down"):
        run = [sys.executable, "-m", "kit", command]
        answer = subprocess.run(run, env={**os.environ, **environ}, capture_output=True, text=True)
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
    assert [path.name for path in open_folder.iterdir() if path.name.startswith("kit-pair-")] == []


def test_a_user_without_a_name_has_a_pair(open_folder: Path) -> None:
    """A user number without an entry in the system's list, as in many containers, needs no more than a home."""
    number = "54321"
    nameless = ["unshare", "--user", f"--map-user={number}", f"--map-group={number}"] if sys.platform == "linux" else []
    environ = {
        "HOME": str(open_folder), "KIT_DATA_DIR": str(open_folder), "KIT_STATE_DIR": str(open_folder / "state"),
        "XDG_CACHE_HOME": str(open_folder / "cache"),
    }  # fmt: skip
    for command in ("up", "status", "down"):
        run = [*nameless, sys.executable, "-m", "kit", command]
        answer = subprocess.run(run, env={**os.environ, **environ}, capture_output=True, text=True)
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
    assert [path.name for path in open_folder.iterdir() if path.name.startswith("kit-pair-")] == []
