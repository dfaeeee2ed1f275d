"""A class on live servers: two seats that share nothing, the teacher's table, and what is left after it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from kit.notebooks.seat import FILE, RECORD
from kit.pair.embedded import free_ports
from kit.pair.places import RUN_PREFIX, all_bases
from tests.live.rooms import KIT, Room, cell_with, cells, kernel, kit, room, run

SEATS = ("seat-01", "seat-02")
BOARD = "00_board"
WAIT_S = 90


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which no class and no pair is up, with a temporary directory of its own."""
    for name in ("state", "tmp"):
        (tmp_path / name).mkdir()
    found = {name: value for name, value in os.environ.items() if not name.startswith("KIT_")}
    return found | {"KIT_STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}


@pytest.fixture
def two(tmp_path: Path, environ: dict[str, str]) -> Iterator[Room]:
    """A class of two seats."""
    with room(tmp_path / "room", environ) as found:
        yield found


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, and fail if it is not within WAIT_S seconds."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def folders_of_pairs(programs: list[psutil.Process]) -> set[Path]:
    """The folders of the pairs that these programs serve."""
    kept = [path for base in all_bases() for path in base.glob(f"{RUN_PREFIX}*")]
    lines = [" ".join(one.cmdline()) for one in programs]
    return {path for path in kept if any(str(path) in line for line in lines)}


def is_gone(programs: list[psutil.Process], pairs: set[Path], environ: dict[str, str]) -> bool:
    """Whether no process, no folder and no data in memory is left of a class."""
    left = [*pairs, *Path(environ["TMPDIR"]).glob("kit-class-*")]
    return psutil.wait_procs(programs, timeout=WAIT_S)[1] == [] and not any(path.exists() for path in left)


def solve(found: Room, seat: str, option: int, answer: str) -> str:
    """Predict and solve in a seat's board, cell by cell: the option that is clicked, the answer that is written."""
    sources = cells(found.folder / seat / f"{BOARD}.ipynb")
    with kernel(found, seat, BOARD) as client:
        said = run(client, sources[0]) + run(client, cell_with(sources, "start(seed"))
        run(client, cell_with(sources, "board = Board("))
        run(client, cell_with(sources, 'predict("verdict"'))
        clicked = f'predictions._predictions["verdict"].shown.children[1].children[{option}].click()'
        run(client, f"from kit.notebooks import predictions\n{clicked}")
        run(client, cell_with(sources, "result = board.run()"))
        said += run(client, cell_with(sources, 'claim("verdict"'))
        run(client, f"ticked = {answer}")
        return said + run(client, cell_with(sources, 'exercise("by-hand")'))


def test_what_two_seats_solve_is_in_the_table(two: Room, environ: dict[str, str]) -> None:
    """A prediction and an exercise of each seat are in the teacher's table, and nothing else of them is kept."""
    assert "✔" not in solve(two, "seat-01", 1, '{"global_engine", "suite_variable"}')
    solve(two, "seat-02", 0, '{"global_engine"}')
    first, second = (two.row(seat) for seat in SEATS)
    assert first["predictions"] == {"right": ["verdict"], "wrong": []}
    assert first["exercises"] == {"done": ["by-hand"], "refused": []}
    assert second["predictions"] == {"right": [], "wrong": ["verdict"]}
    assert second["exercises"] == {"done": [], "refused": ["by-hand"]}
    assert {first["state"], second["state"]} == {"up"}
    assert first["notebooks"] == second["notebooks"] == [BOARD]
    kept = "".join((two.folder / seat / RECORD).read_text() for seat in SEATS)
    assert not re.search(r"suite_variable|global_engine|BROKEN|HOLDS|/|passw|@", kept)
    assert {name for line in kept.split() for name in re.findall(r'"(\w+)":', line)} == {
        "at", "notebook", "prediction", "right", "exercise", "state",
    }  # fmt: skip
    shown = two.kit("class", "status").stdout.splitlines()
    assert [line.split()[:4] for line in shown[1:]] == [[seat, "up", "00", "1"] for seat in SEATS]
    stopped = two.kit("class", "stop", "--json")
    assert [row["exercises"]["done"] for row in json.loads(stopped.stdout)["seats"]] == [["by-hand"], []]
    assert not list(two.folder.rglob(RECORD)) + list(two.folder.rglob(FILE))
    assert (two.folder / "seat-01" / f"{BOARD}.ipynb").is_file()
    assert two.kit("class", "status").returncode == 1


def test_seats_do_not_see_each_other(two: Room, environ: dict[str, str]) -> None:
    """Each seat has two servers of its own: a row written in one is not in the other, nor is what Jupyter keeps."""
    labs = [two.lab(seat).environ() for seat in SEATS]
    names = ("KIT_PRODUCTION_URL", "KIT_TEST_URL", "JUPYTER_TOKEN", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "KIT_STATE_DIR")
    assert all(labs[0][name] != labs[1][name] for name in names)
    with psycopg.connect(labs[0]["KIT_TEST_URL"]) as mine, psycopg.connect(labs[1]["KIT_TEST_URL"]) as other:
        mine.execute("insert into sites (name, url) values ('Mine', 'https://mine.example.org/')")
        mine.commit()
        assert mine.execute("select count(*) from sites").fetchone() == (1,)
        assert other.execute("select count(*) from sites").fetchone() == (0,)
    asks = (
        "from kit.pair import open_pair\n"
        "with open_pair() as pair: print(*(side.identity.system_identifier for side in pair.sides))"
    )
    seen = []
    for seat, variables in zip(SEATS, labs, strict=True):
        with kernel(two, seat, BOARD) as client:
            seen += run(client, asks).split()
        assert re.search(rf"since .* UTC: it belongs to {seat}\.$", kit(variables, "status").stdout, flags=re.MULTILINE)
    assert len(set(seen)) == 4
    listens = [one.laddr for one in two.lab("seat-01").net_connections() if one.status == "LISTEN"]
    assert {place.ip for place in listens} == {"127.0.0.1"}


@pytest.mark.parametrize("ended_by", ["kit class stop", "SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_of_a_class(two: Room, environ: dict[str, str], ended_by: str) -> None:
    """However a class ends, its programs, its servers' data and its own folder go, and the notebooks stay."""
    with kernel(two, "seat-01", BOARD) as client:
        run(client, "import time")
        programs = two.programs()
        pairs = folders_of_pairs(programs)
        assert len(pairs) == 2
        if ended_by == "kit class stop":
            assert two.kit("class", "stop").returncode == 0
        else:
            two.process.send_signal(signal.Signals[ended_by])
        code = two.process.wait(WAIT_S)
    assert code == {"SIGTERM": 128 + signal.SIGTERM, "SIGKILL": -signal.SIGKILL}.get(ended_by, 0)
    if ended_by == "SIGKILL":  # the labs and servers end by themselves, and the next class removes the folder
        psutil.wait_procs(programs, timeout=WAIT_S)
        assert two.kit("class", "status").returncode == 1
        with room(two.folder, environ, "--resume") as again:
            assert again.kit("class", "stop").returncode == 0
    assert is_gone(programs, pairs, environ)
    assert sorted(path.name for path in (two.folder / "seat-01").glob("*.ipynb"))[0] == f"{BOARD}.ipynb"
    assert not (Path(environ["KIT_STATE_DIR"]) / "class.json").exists()


@pytest.mark.parametrize("killed", ["lab", "server"])
def test_a_seat_that_was_killed_is_started_again(two: Room, killed: str) -> None:
    """When a seat's JupyterLab or server is killed, it comes back by its old link; the other seat goes on."""
    other = two.lab("seat-02").pid
    lab = two.lab("seat-01")
    old = lab.environ()["KIT_TEST_URL"]
    if killed == "lab":
        with kernel(two, "seat-01", BOARD) as client:
            run(client, "import time")
            kernels = lab.children()
            lab.kill()
        assert psutil.wait_procs(kernels, timeout=WAIT_S)[1] == []
    else:
        port = psycopg.conninfo.conninfo_to_dict(old)["port"]
        (server,) = [one for one in two.programs() if f"port={port}" in one.cmdline()]
        server.kill()
    until(lambda: not lab.is_running() and two.row("seat-01")["state"] == "up")
    with kernel(two, "seat-01", BOARD) as client:
        assert "1" in run(client, "print(1)")
    assert two.lab("seat-01").environ()["KIT_TEST_URL"] != old
    assert two.lab("seat-02").pid == other
    assert two.kit("class", "stop").returncode == 0


def test_what_cannot_be_started_says_why(two: Room, environ: dict[str, str], tmp_path: Path) -> None:
    """A second class, a folder with work, a port that is taken and too many seats are refused in one line each."""
    def refused(*arguments: str) -> str:
        answer = two.kit("class", "start", *arguments)
        assert (answer.returncode, answer.stdout) == (2, "")
        (line,) = answer.stderr.splitlines()
        return line

    assert f"a class is running in {two.folder} since" in refused("--seats", "1", str(tmp_path / "second"))
    assert not (tmp_path / "second").exists()
    assert "a class is running in" in refused("--seats", "2", "--resume", str(two.folder))
    assert two.kit("class", "stop").returncode == 0
    assert "seat-01 has work in it" in refused("--seats", "2", str(two.folder))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("--seats", "1", "--port", str(port), str(tmp_path / "third"))
    assert f"the port {port} is taken by another program" in line
    assert not (tmp_path / "third").exists()
    assert two.kit("class", "stop").stdout == "No class was running.\n"


def test_a_class_that_does_not_start_leaves_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    """When a JupyterLab does not start, the error has its last words, and no folder, process or data is left."""
    broken = tmp_path / "broken" / "jupyterlab"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit('no lab today')")
    answer = kit(environ | {"PYTHONPATH": str(broken.parent)}, "class", "start", "--seats", "2", str(tmp_path / "room"))
    assert answer.returncode == 2
    assert "seat-01 did not start; its JupyterLab said: no lab today. To do: " in answer.stderr
    assert not (tmp_path / "room").exists()
    assert is_gone([], set(), environ)
    assert kit(environ, "class", "status").returncode == 1


def test_what_a_participant_leaves_running_ends_with_the_class(two: Room) -> None:
    """A pair that `kit up` started in a seat is the seat's, not the teacher's, and ends with the class."""
    seat = two.lab("seat-01").environ()
    assert kit(seat, "up").returncode == 0
    state = json.loads((Path(seat["KIT_STATE_DIR"]) / "pair.json").read_text())
    started = [psutil.Process(pid) for pid in (state["guard"], *state["pids"].values())]
    assert two.kit("status").returncode == 1
    assert two.kit("class", "stop").returncode == 0
    assert is_gone(started, {Path(state["directory"])}, dict(two.environ))


def test_the_table_is_live_on_a_terminal(two: Room) -> None:
    """`kit class status --watch` shows the table on a terminal, and ends with the class."""
    terminal, end = pty.openpty()
    with subprocess.Popen([KIT, "class", "status", "--watch"], env=two.environ, stdout=end, stderr=end) as watching:
        os.close(end)
        shown = os.read(terminal, 4096)
        while b"seat-02" not in shown:
            shown += os.read(terminal, 4096)
        assert two.kit("class", "stop").returncode == 0
        assert watching.wait(WAIT_S) == 0
    os.close(terminal)


def test_a_class_goes_on_with_its_work(tmp_path: Path, environ: dict[str, str]) -> None:
    """With --resume a class has the notebooks as its participants left them, on the ports that were asked for."""
    folder, port = tmp_path / "room", free_ports(1)[0]
    mine = folder / "seat-01" / f"{BOARD}.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text("work of a participant")
    with room(folder, environ, "--resume", "--port", str(port)) as found:
        assert found.links["seat-01"].startswith(f"http://127.0.0.1:{port}/lab?token=")
        assert found.links["seat-02"].startswith(f"http://127.0.0.1:{port + 1}/lab?token=")
        assert found.kit("class", "status", "--links").stdout.split()[1] == found.links["seat-01"]
        assert found.kit("class", "stop").returncode == 0
    assert mine.read_text() == "work of a participant"
    assert (folder / "seat-01" / "01_the_failure.ipynb").is_file()


def test_a_participant_joins_from_an_account_of_their_own(tmp_path: Path, environ: dict[str, str]) -> None:
    """On a hub each takes a seat in a shared folder, with notebooks and servers of their own; the teacher reads it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    homes = [{**environ, "KIT_STATE_DIR": str(tmp_path / f"state-{name}")} for name in "ab"]
    try:
        for number, home in enumerate(homes, 1):
            joined = kit(home, "class", "join", str(shared), str(tmp_path / f"home-{number}"))
            assert joined.returncode == 0, joined.stderr
            assert joined.stdout.startswith(f"You are seat-0{number}. ")
        again = kit(homes[0], "class", "join", str(shared), str(tmp_path / "home-1"))
        assert again.stdout.startswith("You are seat-01. ")
        assert json.loads((tmp_path / "home-2" / FILE).read_text())["record"] == str(shared / "seat-02" / RECORD)
        table = json.loads(kit(environ, "class", "status", "--json", str(shared)).stdout)
        assert [row["seat"] for row in table["seats"]] == list(SEATS)
        assert kit(environ, "class", "stop", str(shared)).returncode == 0
        assert list(shared.iterdir()) == []
        assert (tmp_path / "home-2" / f"{BOARD}.ipynb").is_file()
        assert "has ended" in kit(homes[0], "class", "join", str(shared), str(tmp_path / "home-1")).stderr
    finally:
        downs = [kit(home, "down") for home in homes]
    assert [down.stdout for down in downs] == ["The pair is down.\n"] * 2
