"""A whole run: what is asked is checked first, notebooks run side by side, and what they came to is kept."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from kit.notebooks.investigate import investigate, saved
from kit.notebooks.investigate import one as one_module
from kit.notebooks.investigate import run as run_module
from kit.notebooks.investigate.results import Investigation
from kit.notebooks.investigate.saved import Outcome
from tests.kit_notebooks.investigate.samples import FALLS, HOLDS, cell, environ, living, quiet, said, text, write

PARAMETERS = cell("n: int = 1  # how many\nname = 'x'", "parameters", "parameters")


def run(folder: Path, *notebooks: Path, parameters: Any = (), **options: Any) -> Investigation:
    """A run without a pair, kept in `folder`."""
    given = {"jobs": 2, "console": quiet(), **options}
    return investigate(notebooks, parameters, out=folder / "runs", with_pair=False, **given)


def kept(result: Investigation, name: str) -> str:
    """The text of a file of the run."""
    assert result.folder is not None
    return (result.folder / name).read_text()


def test_a_run_in_which_every_claim_holds(tmp_path: Path) -> None:
    """All is green with exit code 0, everything promised is in the run's folder, and `latest` points to it."""
    console = quiet()
    result = run(tmp_path, write(tmp_path, "01_a", HOLDS), write(tmp_path, "02_b", "1", HOLDS), console=console)
    assert (result.exit_code, result.reason, result.held) == (0, "", 2)
    assert result.folder is not None
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "01_a.html", "01_a.ipynb", "02_b.html", "02_b.ipynb", "claims.json", "index.html", "junit.xml",
    ]  # fmt: skip
    assert (tmp_path / "runs" / "latest").resolve() == result.folder
    assert [claim["notebook"] for claim in json.loads(kept(result, "claims.json"))["claims"]] == ["01_a", "02_b"]
    assert len(xml.fromstring(kept(result, "junit.xml")).findall("testsuite")) == 2
    assert "All 2 claims held" in said(console)
    assert str(result.folder / "index.html") in said(console)


def test_a_claim_that_falls_is_named_everywhere(tmp_path: Path) -> None:
    """A claim that falls gives exit code 1, and its id is in the reason, the records and what is printed."""
    console = quiet()
    late = "claim('late', 'It is late.', expected=1, observed=1)"
    result = run(tmp_path, write(tmp_path, "01_a", HOLDS), write(tmp_path, "02_b", FALLS, late), console=console)
    assert result.exit_code == 1
    assert result.reason == "02_b: the claim one-is-two fell: expected 2, observed 1"
    rows = {claim["id"]: claim for claim in json.loads(kept(result, "claims.json"))["claims"]}
    assert [row["held"] for row in rows.values()] == [True, False, False]
    assert "never reached" in rows["late"]["observed"]
    assert "A claim fell: 02_b: the claim one-is-two fell" in said(console)
    assert "one-is-two" in kept(result, "index.html")
    assert "one-is-two" in kept(result, "junit.xml")


def test_a_notebook_without_a_claim_could_not_run(tmp_path: Path) -> None:
    """A notebook that claims nothing proves nothing, which is exit code 2."""
    result = run(tmp_path, write(tmp_path, "01_a", "1"))
    assert (result.exit_code, result.reason) == (2, "01_a: it makes no claim")
    assert result.remedy


def test_a_limit_of_the_run_reaches_the_cells(tmp_path: Path) -> None:
    """The limits that are given hold for each notebook, and one that is stopped does not stop another."""
    slow = write(tmp_path, "01_slow", "import time\ntime.sleep(600)", HOLDS)
    result = run(tmp_path, slow, write(tmp_path, "02_b", HOLDS), timeout_cell_s=15)
    assert result.exit_code == 2
    assert "limit of 15 s" in result.reason
    assert "--timeout-cell" in result.remedy
    assert [one.status.value for one in result.notebooks] == ["could not run", "held"]


def test_parameters_reach_the_notebook(tmp_path: Path) -> None:
    """Texts are given to the kernel as the declared type; what was given is kept."""
    given = "claim('given', 'It is given.', expected=[5, 'x y'], observed=[n, name])"
    checks = f"from kit.notebooks.cells import claim\n{given}"
    notebook = write(tmp_path, "01_a", PARAMETERS, checks)
    result = run(tmp_path, notebook, parameters=[("n", "5"), ("name", "x y")])
    assert result.exit_code == 0
    assert json.loads(kept(result, "claims.json"))["notebooks"][0]["parameters"] == {"n": 5, "name": "x y"}


@pytest.mark.parametrize(
    ("parameters", "found"),
    [([("m", "1")], "no parameter 'm'"), ([("n", "abc")], "given as 'abc'"), ([("n", "1"), ("n", "2")], "given twice")],
)
def test_a_wrong_parameter_stops_the_run_before_it_starts(tmp_path: Path, parameters: Any, found: str) -> None:
    """A name or type that the notebook does not declare is exit code 2 in one line; nothing starts or is kept."""
    console = quiet()
    started = tmp_path / "started"
    notebook = write(tmp_path, "01_a", PARAMETERS, f"open({str(started)!r}, 'w')", HOLDS)
    result = run(tmp_path, notebook, parameters=parameters, console=console)
    assert (result.exit_code, result.folder) == (2, None)
    assert found in result.reason
    assert said(console).count("\n") == 1
    assert not started.exists()
    assert not (tmp_path / "runs").exists()


def test_a_path_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, one that is no notebook or of another language, and two of one name are refused."""
    broken, other = tmp_path / "broken.ipynb", tmp_path / "other"
    broken.write_text("{")
    other.mkdir()
    in_r = write(tmp_path, "in_r", "1")
    nb = nbformat.read(in_r, as_version=4)
    nb.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(nb, in_r)
    twice = [write(tmp_path, "same", HOLDS), write(other, "same", HOLDS)]
    missing = [tmp_path / "none.ipynb"]
    for paths, found in (
        (missing, "There is no"), ([other], "other is a folder"), ([broken], "is not a notebook"), ([in_r], "Python"),
        (twice, "Two"),
    ):  # fmt: skip
        result = run(tmp_path, *paths)
        assert result.exit_code == 2
        assert found in result.reason


def test_one_notebook_is_never_the_end_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No notebook, nothing that one shows, and no fault of the kit's own keeps another notebook's result away."""
    really = one_module.judge

    def judge(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "04_fault" and Outcome.of(arguments[0]).ran:
            raise KeyError("a fault")
        return really(name, *arguments, **options)

    monkeypatch.setattr(one_module, "judge", judge)
    (tmp_path / "README.md").write_text("# A file\n")
    poses = "from IPython.display import display\ndisplay({'application/vnd.kit.claim+json': {'id': 1}}, raw=True)"
    nameless = write(tmp_path, "03_nameless", HOLDS)
    nb = nbformat.read(nameless, as_version=4)
    nb.metadata.kernelspec = {"display_name": "Python"}
    nameless.write_text(nbformat.writes(nb))
    paths = [
        tmp_path / "README.md", write(tmp_path, "02_poses", poses), nameless, write(tmp_path, "04_fault", HOLDS),
        write(tmp_path, "05_b", HOLDS),
    ]  # fmt: skip
    result = run(tmp_path, *paths)
    found = {one.name: (one.status.value, one.reason) for one in result.notebooks}
    assert (result.exit_code, [name for name, (status, _) in found.items() if status == "held"]) == (
        2, ["03_nameless", "05_b"]
    )  # fmt: skip
    assert "is not JSON" in found["README"][1]
    assert "marked as a claim" in found["02_poses"][1]
    assert "the kit itself failed with this notebook: KeyError" in found["04_fault"][1]
    folder = result.folder
    assert folder is not None
    assert len(xml.fromstring(kept(result, "junit.xml")).findall("testsuite")) == 5
    assert len(json.loads(kept(result, "claims.json"))["notebooks"]) == 5
    for one in result.notebooks:
        assert one.page in kept(result, "index.html")
        assert (folder / one.page).is_file()
        nbformat.read(folder / one.file, as_version=4)


def test_a_notebook_of_which_no_page_can_be_made_is_judged_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page cannot show costs the page's body, and no claim."""
    from kit.notebooks.investigate import pages

    monkeypatch.setattr(pages, "_exporter", lambda: None)
    result = run(tmp_path, write(tmp_path, "01_a", HOLDS))
    assert (result.exit_code, result.held) == (0, 1)
    assert "No page could be made" in result.notebooks[0].remarks[0]
    assert "01_a" in kept(result, "01_a.html")


def test_a_run_that_cannot_be_kept_says_so_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written to is one line and exit code 2, without servers, kernels or a moved `latest`."""
    monkeypatch.setattr(run_module, "places", None)
    console = quiet()
    result = investigate([write(tmp_path, "01_a", HOLDS)], out=Path("/proc/nowhere"), console=console)
    assert (result.exit_code, result.folder) == (2, None)
    assert "cannot be written" in result.reason
    assert "--out DIR" in result.remedy
    assert said(console).count("\n") == 1


def test_results_that_cannot_be_kept_are_shown(tmp_path: Path) -> None:
    """A run whose folder is gone at its end shows what it found, says why it is not kept, and leaves `latest`."""
    assert run(tmp_path, write(tmp_path, "01_a", HOLDS)).exit_code == 0
    before = (tmp_path / "runs" / "latest").readlink()
    console = quiet()
    removes = f"import os, shutil\nshutil.rmtree(os.environ['KIT_RUN_FOLDER'])\n{HOLDS}"
    result = run(tmp_path, write(tmp_path, "02_b", removes), write(tmp_path, "03_c", HOLDS), console=console, jobs=1)
    assert (result.exit_code, result.folder) == (2, None)
    assert "cannot be written: No such file or directory" in result.reason
    assert "one-is-one" in said(console)
    assert (tmp_path / "runs" / "latest").readlink() == before


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), 0, -1])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, limit: float) -> None:
    """Limits are finite and above 0."""
    result = run(tmp_path, write(tmp_path, "01_a", HOLDS), timeout_cell_s=limit)
    assert (result.exit_code, result.folder) == (2, None)
    assert "Wanted: a finite number above 0" in result.reason


def test_all_notebooks_of_the_folder_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name all of `notebooks` run, in order, save those that begin with an underscore."""
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b", "01_a", "_template"):
        write(tmp_path / "notebooks", name, HOLDS)
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in run(tmp_path).notebooks] == ["01_a", "02_b"]


def test_the_working_directory_is_left_alone(tmp_path: Path) -> None:
    """A kernel runs in its notebook's folder, this process stays in its own; a path may have braces in it."""
    before, folder = Path.cwd(), tmp_path / "{odd} folder"
    folder.mkdir()
    checks = f"import os\n{HOLDS}\nclaim('here', 'It is here.', expected={str(folder)!r}, observed=os.getcwd())"
    result = run(folder, write(folder, "01_a", checks), write(folder, "02_b", PARAMETERS, HOLDS), parameters={"n": 2})
    assert result.exit_code == 0
    assert Path.cwd() == before


def test_notebooks_run_at_the_same_time(tmp_path: Path) -> None:
    """Two notebooks that each wait for the other both come to their end."""
    waits = """
import os, pathlib, time
pathlib.Path({own!r}).touch()
deadline = time.monotonic() + 60
while not pathlib.Path({other!r}).exists() and time.monotonic() < deadline:
    time.sleep(0.01)
from kit.notebooks.cells import claim
claim('met', 'They met.', expected=True, observed=pathlib.Path({other!r}).exists())
"""
    both = [
        write(tmp_path, "01_a", waits.format(own=str(tmp_path / "a"), other=str(tmp_path / "b"))),
        write(tmp_path, "02_b", waits.format(own=str(tmp_path / "b"), other=str(tmp_path / "a"))),
    ]
    assert run(tmp_path, *both).exit_code == 0


def test_a_last_notebook_reads_what_the_others_found(tmp_path: Path) -> None:
    """A notebook that is marked as last begins when all others are over, and finds what they found."""
    reads = (
        "from kit.notebooks.cells import claim\nfrom kit.trials.run_folder import claims\n"
        "held = [row['notebook'] for row in claims()['claims'] if row['held']]\n"
        "claim('all', 'All held.', expected=['01_a', '03_c'], observed=held)"
    )
    last = write(tmp_path, "02_last", reads, last=True)
    result = run(tmp_path, write(tmp_path, "01_a", HOLDS), last, write(tmp_path, "03_c", HOLDS))
    assert result.exit_code == 0
    assert [one.name for one in result.notebooks] == ["01_a", "02_last", "03_c"]


def test_exercises_are_told_and_solved(tmp_path: Path) -> None:
    """With its stub an exercise is not done, which is no fault; with the solution in, it is done."""
    notebook = write(
        tmp_path, "01_a", HOLDS,
        cell("def double(x):\n    ...", "double", "exercise"),
        text("<details>\n\n```python\ndef double(x):\n    return 2 * x\n```\n</details>", "solution", "solution"),
        cell("from kit.notebooks.cells import exercise\nwith exercise('1'):\n    assert double(2) == 4", "check"),
    )  # fmt: skip
    stub, solved = run(tmp_path, notebook), run(tmp_path, notebook, solved=True)
    assert [(one.exit_code, one.notebooks[0].exercises[0].done) for one in (stub, solved)] == [(0, False), (0, True)]


def test_a_stack_is_told_to_the_notebook(tmp_path: Path) -> None:
    """The stack that is asked for is the notebook's parameter and in the claims; one that is not known is refused."""
    checks = "from kit.notebooks.cells import claim\nclaim('stack', 'It is told.', expected='current', observed=stack)"
    notebook = write(tmp_path, "01_a", cell("stack: str = 'other'", "parameters", "parameters"), checks)
    result = run(tmp_path, notebook, stack="current")
    assert result.exit_code == 0
    assert json.loads(kept(result, "claims.json"))["stack"]["name"] == "current"
    assert "There is no stack 'none'" in run(tmp_path, notebook, stack="none").reason
    assert "given twice" in run(tmp_path, notebook, stack="current", parameters={"stack": "current"}).reason


def test_a_password_is_in_no_file_of_a_run(tmp_path: Path) -> None:
    """A password that a notebook prints, claims and observes is in no file that is kept, and is not printed."""
    password = "Xk9-planted-secret"
    shows = (
        "import os\nurl = os.environ['KIT_TEST_URL']\nprint(url)\n"
        "from kit.notebooks.cells import claim\n"
        "claim('shown', f'It is {url}.', expected=url, observed=url[:-4])"
    )
    console = quiet()
    result = run(
        tmp_path, write(tmp_path, "01_a", shows, HOLDS), console=console,
        environ=environ(KIT_TEST_URL=f"postgresql://testuser:{password}@127.0.0.1:5433/testdb"),
    )  # fmt: skip
    assert (result.exit_code, result.folder is not None) == (1, True)
    texts = {path.name: path.read_text() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert {name.split(".")[-1] for name in texts} == {"ipynb", "html", "json", "xml"}
    assert [name for name, found in texts.items() if password in found] == []
    assert password not in said(console)
    assert all("***" in texts[name] for name in ("01_a.ipynb", "01_a.html", "claims.json", "index.html", "junit.xml"))


def test_a_run_without_a_pair_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the servers that are named do not answer, the run ends with exit code 2, the place and no password."""
    for side in ("PRODUCTION", "TEST"):
        monkeypatch.setenv(f"KIT_{side}_URL", "postgresql://somebody:Xk9-planted-secret@127.0.0.1:1/none")
    console = quiet()
    result = investigate([write(tmp_path, "01_a", HOLDS)], out=tmp_path / "runs", console=console)
    assert (result.exit_code, result.folder) == (2, None)
    assert "127.0.0.1:1/none" in said(console)
    assert "planted" not in said(console)


def test_what_is_not_installed_is_named() -> None:
    """Without papermill the command ends with exit code 2 and says what to install."""
    script = "import sys\nsys.modules['papermill'] = None\nfrom kit.cli import main\nmain(['investigate'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("kit: papermill is not installed. To do: pip install")


RUN_BY_HAND = """
import sys
from pathlib import Path
from kit.notebooks.investigate import investigate
from kit.notebooks.investigate import run as run_module
folder = Path(sys.argv[1])
sys.exit(investigate(sorted(folder.glob("*.ipynb")), out=folder / "runs", with_pair=False, jobs=1).exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_keeps_what_there_is(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM or SIGHUP ends kernels at once; the notebooks say so, and claims and pages are kept."""
    pid = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))"
    write(tmp_path, "01_a", pid, HOLDS, "import time\ntime.sleep(600)")
    write(tmp_path, "02_b", HOLDS)
    process = subprocess.Popen([sys.executable, "-c", RUN_BY_HAND, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = next(line for line in process.stdout if "held" in line)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert "one-is-one" in seen
    assert process.returncode == 2
    assert number.name in rest
    assert living([int((tmp_path / "pid").read_text())]) == []
    folder = (tmp_path / "runs" / "latest").resolve()
    first, second = (Outcome.of(nbformat.read(folder / name, as_version=4)) for name in ("01_a.ipynb", "02_b.ipynb"))
    assert (first.error, first.stopped_at, first.ran) == ("Interrupted", "In [3] cell-3", 2)
    assert (second.error, second.ran, len(second.never_ran)) == ("Interrupted", 0, 1)
    assert json.loads((folder / "claims.json").read_text())["exit_code"] == 2


def test_kernels_die_with_a_run_that_is_killed(tmp_path: Path) -> None:
    """After SIGKILL to the run its kernel and what that started are gone, and so is the kernel's folder."""
    starts = (
        "import os, pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "pathlib.Path('pids').write_text(f'{os.getpid()} {child.pid}')\n"
        "place = os.environ['KIT_KERNEL_PLACE']\npathlib.Path('place').write_text(place)"
    )
    write(tmp_path, "01_a", starts, HOLDS, "import time\ntime.sleep(600)")
    process = subprocess.Popen([sys.executable, "-c", RUN_BY_HAND, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "one-is-one" in next(line for line in process.stdout if "held" in line)
    running = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    psutil.wait_procs(running, timeout=30)
    assert living(one.pid for one in running) == []
    assert not Path((tmp_path / "place").read_text()).exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_fault_of_the_kit(number: int) -> None:
    """A notebook whose results find no room says so, and where room can be made."""
    error, reason = one_module.explained(OSError(number, os.strerror(number)))
    assert error == saved.NOT_RUN
    assert os.strerror(number) in reason
    assert "To do: make room there" in reason
    with pytest.raises(OSError, match="bad") as other:
        raise OSError(errno.EBADF, "bad")
    assert one_module.explained(other.value)[0] == saved.FAULT
