"""The runs folder."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.errors import EvidenceError
from kit.trials.run_folder import FORMAT, RUN_VARIABLE, SHELF_VARIABLE, Run, Shelf, claims, new_run


def test_runs_do_not_meet(tmp_path: Path) -> None:
    """Runs that begin in the same second have folders of their own, in a folder that need not be there."""
    with ExitStack() as closing:
        runs = [closing.enter_context(new_run(tmp_path / "some" / "runs")) for _ in range(20)]
        assert len({run.id for run in runs}) == 20
        assert all(run.folder.is_dir() for run in runs)


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    """The folder of a run in which nothing was kept is gone, and those above it that it took."""
    with new_run(tmp_path / "some" / "runs"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said_at_once(tmp_path: Path) -> None:
    """Where a run cannot be kept, one sentence says where, why and what to do."""
    (tmp_path / "file").touch()
    for place in (Path("/proc/nowhere"), tmp_path / "file" / "runs"):
        with pytest.raises(EvidenceError, match=r"cannot be written: .*--out DIR"), new_run(place):
            pass


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_the_user_has_called_latest_is_left_and_said_at_once(tmp_path: Path, kind: str) -> None:
    """A folder or a file of that name is the user's: it stays, and no run begins that could not be linked."""
    latest = tmp_path / "latest"
    latest.mkdir() if kind == "folder" else latest.write_text("mine")
    with pytest.raises(EvidenceError, match=rf"latest is a {kind}, which the kit did not make.*move .*--out DIR"):
        with new_run(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
    assert kind == "folder" or latest.read_text() == "mine"


def test_latest_points_to_the_last_run(tmp_path: Path) -> None:
    """`latest` is a relative link, which can be moved with its folder, to the run that said so last."""
    with new_run(tmp_path) as first, new_run(tmp_path) as second:
        first.link_latest()
        second.link_latest()
        assert (tmp_path / "latest").readlink() == Path(second.id)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["latest", first.id, second.id])


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """Who reads while a file is written again finds one text or the other, and nothing else remains."""
    run = Run(tmp_path)
    texts = {letter * 200_000 for letter in "ab"}
    run.write("x.json", "a" * 200_000)
    done = threading.Event()
    seen = set()

    def read() -> None:
        while not done.is_set():
            seen.add((tmp_path / "x.json").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        for text in sorted(texts):
            run.write("x.json", text)
    done.set()
    reader.join()
    assert seen <= texts
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """A folder in the place of a file, or no folder of runs any more: one sentence names it, nothing half remains."""
    (tmp_path / "x.json").mkdir()
    with pytest.raises(EvidenceError, match=r"x\.json cannot be written: Is a directory"):
        Run(tmp_path).write("x.json", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    with pytest.raises(EvidenceError, match=r"latest cannot be written: .*--out DIR"):
        Run(tmp_path / "gone" / "run").link_latest()


def test_claims_are_those_of_the_run_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings are those of the run that is named, else of the one under way, else of the latest, here or above."""
    for name in ("named", "under-way", "runs/1"):
        (tmp_path / name).mkdir(parents=True)
        kept = {"format": FORMAT, "kit": name, "stack": {}, "claims": []}
        (tmp_path / name / "claims.json").write_text(json.dumps(kept))
    Run(tmp_path / "runs" / "1").link_latest()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    assert claims()["kit"] == "runs/1"
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert claims()["kit"] == "runs/1"
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "under-way"))
    assert claims()["kit"] == "under-way"
    assert claims(tmp_path / "named")["kit"] == "named"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no"), ("{", "not JSON"), ('{"format": 99}', "format 99"), ("[]", "does not hold claims"),
        ('{"format": 1}', "stack"), ('{"format": 1, "stack": {}, "claims": [{"id": 1}]}', "claims"),
        ("[" * 200_000, "not JSON"),
    ],
)
def test_claims_that_cannot_be_read_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """Missing claims, broken ones and those of another format are each named, with what to do."""
    if text is not None:
        (tmp_path / "claims.json").write_text(text)
    with pytest.raises(EvidenceError, match=message) as refused:
        claims(tmp_path)
    assert "kit investigate" in refused.value.remedy


def test_a_folder_in_the_place_of_the_claims_is_told(tmp_path: Path) -> None:
    """What the system says is said, and what to do."""
    (tmp_path / "claims.json").mkdir()
    with pytest.raises(EvidenceError, match=r"claims\.json cannot be read: Is a directory.*name another run"):
        claims(tmp_path)


def test_a_shelf_has_what_was_made_once(tmp_path: Path) -> None:
    """However many ask at once for one key, it is made once and all get the same."""
    shelf = Shelf(tmp_path / "trials")
    made = []

    def make() -> str:
        made.append(1)
        return f"result {len(made)}"

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: shelf.get_or_make("key", make), range(16)))
    assert got == ["result 1"] * 16
    assert shelf.get_or_make("other", make) == "result 2"


def test_a_shelf_gives_and_takes(tmp_path: Path) -> None:
    """A text that is put is got, a later one instead of it; where there is none, nothing is got."""
    shelf = Shelf(tmp_path / "evidence")
    assert shelf.get("key") is None
    for text in ("one", "two"):
        shelf.put("key", text)
        assert shelf.get("key") == text
    assert shelf.get_or_make("key", lambda: "made") == "two"


def test_a_shelf_keeps_nothing_of_a_failure(tmp_path: Path) -> None:
    """What could not be made is made by the next who asks."""
    shelf = Shelf(tmp_path)
    with pytest.raises(ZeroDivisionError):
        shelf.get_or_make("key", lambda: str(1 / 0))
    assert shelf.get_or_make("key", lambda: "made") == "made"


def test_a_shelf_refuses_a_key_that_leaves_it(tmp_path: Path) -> None:
    """A key is a plain name, so that nothing is written elsewhere."""
    with pytest.raises(ValueError, match="not a valid file name"):
        Shelf(tmp_path).get_or_make("../key", lambda: "made")


def test_a_shelf_is_there_only_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of a run finds the run's shelf; a notebook that is opened by hand shares nothing."""
    monkeypatch.delenv(SHELF_VARIABLE, raising=False)
    assert Shelf.of_this_run() is None
    monkeypatch.setenv(SHELF_VARIABLE, str(tmp_path))
    assert Shelf.of_this_run() == Shelf(tmp_path)
