"""Notebooks on a Dask cluster come to what they come to here, whatever happens to the workers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import psutil
import pytest

from kit.errors import NotebookError
from kit.notebooks.investigate import investigate
from kit.notebooks.investigate.cluster.job import Order, Result
from kit.notebooks.investigate.cluster.on_worker import MODULE
from kit.notebooks.investigate.cluster.submit import Heard, address_of
from kit.notebooks.investigate.one import Job
from kit.notebooks.investigate.watching import Watcher
from kit.trials.stacks import packages, stack
from tests.kit_notebooks.investigate.clusters import Cluster
from tests.kit_notebooks.investigate.samples import FALLS, HOLDS, living, quiet, write

pytestmark = pytest.mark.timeout(600)

# Says that it has begun, and with which kernel; ends when there is a file `go` beside it.
WAITS = """
import os, time
from pathlib import Path
from kit.notebooks.cells import claim
with open('kernels', 'a') as file:
    file.write(f'{os.getpid()} ')
claim('begun', 'It has begun.', expected=True, observed=True)
"""
UNTIL_GO = "while not Path('go').exists():\n    time.sleep(0.05)"
TOGETHER = """
Path(f'running-{os.getpid()}').touch()
while len(list(Path('.').glob('running-*'))) < 2:
    time.sleep(0.05)
"""
A_TRIAL = """
from kit.notebooks.cells import claim, start
from kit.specimens.trial import Trial
from kit.evidence.verdict import isolation
session = start()
(evidence,) = session.run([Trial(mechanisms=(), selection='individual', way='by_hand')])
claim('holds', 'It holds.', expected='HOLDS', observed=isolation(evidence))
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with Cluster(tmp_path / "cluster") as found:
        yield found


@contextmanager
def investigating(folder: Path, cluster: Cluster, *notebooks: Path, options: tuple[str, ...] = ()) -> Iterator[Any]:
    """`kit investigate` on a cluster, in a process of its own whose output is read."""
    command = [sys.executable, "-m", "kit", "investigate", *map(str, notebooks), "--no-servers", *options]
    process = subprocess.Popen(
        [*command, "--executor", cluster.executor], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: Any, text: str, seen: list[str]) -> str:
    """Read on to the line with this text; return it. The lines read are appended to `seen`."""
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return str(line)
    raise AssertionError("".join(seen))


def without_times(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims of a record, without what differs between any two runs."""
    return [{name: value for name, value in claim.items() if name != "seconds"} for claim in record["claims"]]


def cases(path: Path) -> list[tuple[str | None, list[str]]]:
    """The cases of a junit.xml, each with what it has."""
    return [(case.get("name"), [child.tag for child in case]) for case in xml.parse(path).getroot().iter("testcase")]


def latest(folder: Path) -> Any:
    """The record of the latest run."""
    return json.loads((folder / "runs" / "latest" / "claims.json").read_text())


def test_a_cluster_comes_to_what_this_machine_comes_to(tmp_path: Path, cluster: Cluster) -> None:
    """Claims, outcomes, exit code, reasons, files and junit.xml are those of a run here; a time limit holds there."""
    cluster.join()
    cluster.join()
    slow = "import time\ntime.sleep(600)"
    cells = {"01_a": (HOLDS,), "02_b": (FALLS, HOLDS), "03_c": (HOLDS, slow)}
    paths = [write(tmp_path, name, *sources) for name, sources in cells.items()]
    broken = tmp_path / "04_d.ipynb"
    broken.write_text("{")
    last = write(
        tmp_path, "99_last", "from kit.notebooks.cells import claim\nfrom kit.trials.run_folder import claims\n"
        "claim('read', 'All are read.', expected=4, observed=len(claims()['claims']))", last=True,
    )
    found = [
        investigate(
            [*paths, broken, last], out=tmp_path / name, with_pair=False, timeout_cell_s=8, console=quiet(),
            executor=executor,
        )
        for name, executor in (("here", None), ("there", cluster.executor))
    ]
    records = [json.loads((one.folder / "claims.json").read_text()) for one in found if one.folder]
    assert without_times(records[0]) == without_times(records[1])
    assert {one.exit_code for one in found} == {1}
    assert len({one.reason for one in found}) == 1
    here, there = ([(run.name, run.status, run.reason, run.remarks) for run in one.notebooks] for one in found)
    assert here == there
    files = [{path.name for path in one.folder.iterdir()} for one in found if one.folder]
    assert files[0] == files[1]
    here_, there_ = (cases(one.folder / "junit.xml") for one in found if one.folder)
    assert here_ == there_


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_loses_nothing(tmp_path: Path, cluster: Cluster, number: signal.Signals) -> None:
    """Its notebook begins again on another worker, and every claim is there once; a dead worker's kernel is gone."""
    cluster.join()
    cluster.join()
    paths = [write(tmp_path, "01_waits", WAITS, UNTIL_GO, HOLDS), write(tmp_path, "02_b", HOLDS)]
    seen: list[str] = []
    with investigating(tmp_path, cluster, *paths) as process:
        heard(process, "01_waits: held  begun", seen)
        (worker,) = re.findall(r"01_waits: begins on (\S+)", "".join(seen))
        cluster.workers[worker].send_signal(number)
        again = heard(process, "01_waits: begins again on", seen)
        (tmp_path / "go").touch()
        rest, _ = process.communicate()
    assert worker not in again
    assert process.returncode == 0, "".join(seen) + rest
    assert [(claim["notebook"], claim["id"]) for claim in latest(tmp_path)["claims"]] == [
        ("01_waits", "begun"), ("01_waits", "one-is-one"), ("02_b", "one-is-one"),
    ]  # fmt: skip
    kernels = [int(pid) for pid in (tmp_path / "kernels").read_text().split()]
    assert len(kernels) == 2
    psutil.wait_procs([psutil.Process(pid) for pid in living(kernels)], timeout=60)
    assert living(kernels) == []


def test_a_worker_that_joins_late_takes_its_part(tmp_path: Path, cluster: Cluster) -> None:
    """A notebook that waits for a worker is run by one that joins during the run."""
    first = cluster.join()
    paths = [write(tmp_path, f"0{number}_waits", WAITS, TOGETHER, HOLDS) for number in (1, 2)]
    seen: list[str] = []
    with investigating(tmp_path, cluster, *paths) as process:
        heard(process, "held  begun", seen)
        second = cluster.join()
        rest, _ = process.communicate()
    assert process.returncode == 0, "".join(seen) + rest
    assert {first, second} == set(re.findall(r"begins on (\S+)", "".join(seen) + rest))
    assert len(latest(tmp_path)["claims"]) == 4


def test_a_run_that_is_interrupted_ends_on_the_cluster_too(tmp_path: Path, cluster: Cluster) -> None:
    """Ctrl-C ends the kernels on the workers, the notebooks say so, and what there is is kept."""
    cluster.join()
    paths = [write(tmp_path, name, WAITS, UNTIL_GO) for name in ("01_waits", "02_waits")]
    with investigating(tmp_path, cluster, *paths) as process:
        heard(process, "held  begun", [])
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    assert process.returncode == 2
    assert "SIGINT" in rest
    assert [one["run"]["error"] for one in latest(tmp_path)["notebooks"]] == ["Interrupted", "Interrupted"]
    kernels = [int(pid) for pid in (tmp_path / "kernels").read_text().split()]
    psutil.wait_procs([psutil.Process(pid) for pid in living(kernels)], timeout=60)
    assert living(kernels) == []


def test_a_scheduler_that_dies_ends_the_run(tmp_path: Path, cluster: Cluster) -> None:
    """What did not come back could not run, with the reason; what had come back is kept."""
    cluster.join()
    cluster.join()
    paths = [write(tmp_path, "01_a", HOLDS), write(tmp_path, "02_waits", WAITS, UNTIL_GO)]
    seen: list[str] = []
    with investigating(tmp_path, cluster, *paths) as process:
        while not ("01_a: held in" in "".join(seen) and "02_waits: held  begun" in "".join(seen)):
            heard(process, "held", seen)
        cluster.scheduler.kill()
        rest, _ = process.communicate()
    assert process.returncode == 2
    assert "The cluster did not run it" in rest
    assert [one["status"] for one in latest(tmp_path)["notebooks"]] == ["held", "could not run"]


def test_each_notebook_has_a_pair_of_its_own_there(tmp_path: Path, cluster: Cluster) -> None:
    """A trial runs on a pair that the notebook's process started; its evidence comes back, and no server stays."""
    cluster.join()
    notebook = write(tmp_path, "01_trial", A_TRIAL)
    result = investigate([notebook], out=tmp_path / "runs", executor=cluster.executor, console=quiet())
    assert (result.exit_code, result.reason, result.held) == (0, "", 1)
    assert result.folder is not None
    (evidence,) = (result.folder / "evidence").glob("*.json")
    assert json.loads(evidence.read_text())
    assert [one.name() for process in cluster.workers.values() for one in psutil.Process(process.pid).children()] == []


def test_the_variables_of_this_machine_stay_here(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent to a worker has no environment variable of the machine where the run was started."""
    cluster.join()
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cret-of-here@db.internal/app")
    notebook = write(tmp_path, "01_waits", WAITS, UNTIL_GO)
    with investigating(tmp_path, cluster, notebook) as process:
        heard(process, "held  begun", [])
        sent = [path.read_text() for path in cluster.folder.rglob("job.json")]
        (tmp_path / "go").touch()
        process.communicate()
    assert process.returncode == 0
    assert len(sent) == 1
    assert "s3cret-of-here" not in sent[0]


class Noted(Watcher):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def notebook_started(self, worker: str = "") -> None:
        """Note the worker."""
        self.noted.append(worker)

    def cell_started(self, label: str, number: int, count: int) -> None:
        """Note the cell."""
        self.noted.append(label)


def test_events_of_an_earlier_start_are_not_shown() -> None:
    """What a worker that was lost still tells of a notebook is not shown, nor what arrives after the end of it."""
    watcher = Noted()
    heard = Heard(watcher)
    for attempt, event in (("1", "started"), ("1", "cell"), ("2", "started"), ("1", "cell"), ("2", "cell")):
        cell = {"label": f"c{attempt}", "number": 1, "count": 1}
        heard.hear({"attempt": attempt, "event": event, "worker": f"w{attempt}", **cell})
    heard.close()
    heard.hear({"attempt": "2", "event": "cell", "label": "late", "number": 1, "count": 1})
    assert watcher.noted == ["w1", "c1", "w2", "c2"]


def test_without_a_scheduler_one_line_says_so(tmp_path: Path) -> None:
    """Where nothing answers, and for an address that is none, there is exit code 2 and what to do; nothing is kept."""
    notebook = write(tmp_path, "01_a", HOLDS)
    result = investigate(
        [notebook], out=tmp_path / "runs", with_pair=False, executor="dask://127.0.0.1:9", console=quiet()
    )
    assert (result.exit_code, result.folder) == (2, None)
    assert "No Dask scheduler answers at 127.0.0.1:9" in result.reason
    for wrong in ("dask://", "127.0.0.1:8786", "dask://host", "dask://host:x", "ray://host:1"):
        with pytest.raises(NotebookError, match=r"dask://HOST:PORT"):
            address_of(wrong)


def ordered(folder: Path, **more: Any) -> Result:
    """What the process on a worker makes of an order, of a notebook that is not on the worker."""
    notebook = nbformat.read(write(folder, "01_a", HOLDS, "import os\nos.listdir()"), as_version=4)
    job = Job(
        name="01_a", notebook=nbformat.writes(notebook), parameters={}, folder="/nowhere", environ={}, pages=("01_a",),
        documents=(), stack=None, timeout_cell_s=60, timeout_notebook_s=120, output_cell_bytes=10**6,
        output_notebook_bytes=10**6, solved=False, fresh=False, log_output=False,
    )
    given = {"packages": packages(stack("current")), "own_folder": False, **more}
    order = Order(job, with_pair=False, source="/nowhere/01_a.ipynb", digest="", **given)
    (folder / "job").mkdir()
    (folder / "job" / "job.json").write_bytes(msgspec.json.encode(order))
    with subprocess.Popen([sys.executable, "-m", MODULE, str(folder / "job")], stdin=subprocess.PIPE) as process:
        process.wait()
    return msgspec.json.decode((folder / "job" / "result.json").read_bytes(), type=Result)


def test_a_notebook_whose_folder_is_elsewhere_runs_in_an_empty_one(tmp_path: Path) -> None:
    """Where the worker does not have the notebook's file, it runs in an empty folder, which is remarked."""
    done = ordered(tmp_path)
    assert done.run.held == 1
    assert done.run.remarks == ("It ran in an empty folder, because the worker does not have its own.",)
    executed = nbformat.reads(done.files["01_a.ipynb"], as_version=4)
    assert executed.cells[1].outputs[0]["data"]["text/plain"] == "[]"
    assert set(done.files) == {"01_a.ipynb", "01_a.html"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"packages": {"python": "3.11.0", "sqlalchemy": "1.0"}}, "The stack current is another one on the worker"),
        ({"own_folder": True}, "The worker has no folder /nowhere"),
    ],
)
def test_a_worker_that_differs_says_so(tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    """With other versions than where the run began, or without the folder that was named, nothing runs there."""
    done = ordered(tmp_path, **more)
    assert (done.run.status.value, done.run.outcome.ran) == ("could not run", 0)
    assert reason in done.run.reason
