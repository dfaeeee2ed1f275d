"""The engine: every way in which a notebook can end is told truly by the notebook that is saved."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from io import StringIO
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from kit.errors import NotebookError
from kit.notebooks.investigate.saved import Outcome
from kit.notebooks.warm import parents
from kit.trials import fork_server
from kit.workfolder import LOCK, TEMPORARY, sweep
from tests.kit_notebooks.investigate.samples import HOLDS, cell, environ, execute, living, notebook, text, write

STARTS_OTHERS = """
import json, os, pathlib, subprocess, sys, time
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
orphan = subprocess.run([sys.executable, "-c", '''
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid)
'''], capture_output=True, text=True)
pathlib.Path("pids.json").write_text(json.dumps([os.getpid(), own.pid, int(orphan.stdout)]))
"""


def test_a_notebook_that_runs_is_saved_as_complete(tmp_path: Path) -> None:
    """A notebook whose cells all come to their end is saved with their outputs and without any mark of failure."""
    ran = execute(tmp_path, text("# A question", "title"), "1 + 1", HOLDS)
    assert ran.error is None
    assert ran.statuses == ["completed", "completed"]
    assert (ran.outcome.cells, ran.outcome.ran, ran.outcome.error, ran.outcome.never_ran) == (2, 2, "", ())
    assert ran.nb.cells[1].outputs[0].data["text/plain"] == "2"
    assert ran.nb.cells[0].source == "# A question"


def test_a_cell_that_lacks_a_name_says_in_which_order_cells_are_run(tmp_path: Path) -> None:
    """A set-up cell that is run before the parameters says so below the error, as every later cell does."""
    ran = execute(tmp_path, "from kit.notebooks.cells import start\nstart(seed, pair=False)")
    assert ran.outcome.reason == "name 'seed' is not defined"
    printed = [output.get("text", "") for cell in ran.nb.cells for output in cell.get("outputs", [])]
    assert "Run the first two code cells first" in "".join(printed)


@pytest.mark.parametrize(
    ("ends", "error", "reason"),
    [
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import os\nos._exit(0)", "KernelDied", "exit code 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "KernelDied", "SIGKILL"),
        ("import sys\nsys.exit(0)", "NotebookLeft", "exit code 0"),
        ("import sys\nsys.exit('enough')", "NotebookLeft", "enough"),
    ],
    ids=["error", "exit of the process", "kill", "sys.exit(0)", "sys.exit of a text"],
)
def test_a_cell_that_does_not_end_well_turns_the_notebook_red(
    tmp_path: Path, ends: str, error: str, reason: str
) -> None:
    """However a cell ends, the saved notebook names it and the reason, and what comes after it as never run."""
    ran = execute(tmp_path, "print('before')", cell(ends, "ends"), cell("print('after')", "after"))
    assert ran.error is not None
    assert ran.statuses == ["completed", "failed", "pending"]
    assert ran.outcome.stopped_at == "In [2] ends"
    assert ran.outcome.never_ran == ("In [3] after",)
    assert ran.outcome.error == error
    assert reason in ran.outcome.reason
    stopped, never_ran = (found for found in ran.nb.cells if found.id in ("ends", "after"))
    assert [output.ename for output in stopped.outputs if output.output_type == "error"][-1] == error
    assert never_ran.outputs == []
    assert never_ran.execution_count is None
    assert never_ran.metadata.tags == ["never-ran"]
    banner = next(found for found in ran.nb.cells if "kit-run" in found.metadata.get("tags", []))
    assert "In [2] ends" in banner.source
    assert "In [3] after" in banner.source


@pytest.mark.parametrize(
    "endless",
    [
        "import asyncio\nawait asyncio.sleep(600)",
        "import time\nwhile True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        pass",
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {2, 15})\ntime.sleep(600)",
        "while True:\n    pass",
    ],
    ids=["await", "swallowed interrupt", "blocked signals", "busy loop"],
)
def test_a_cell_that_does_not_end_is_killed_at_its_limit(tmp_path: Path, endless: str) -> None:
    """The limit of a cell ends it even where an interrupt would not reach it, and what it had shown is kept."""
    ran = execute(tmp_path, f"print('seen', flush=True)\n{endless}", "1", execution_timeout=4)
    assert ran.error is not None
    assert (ran.outcome.error, ran.statuses) == ("CellTimeLimit", ["failed", "pending"])
    assert "limit of 4 s" in ran.outcome.reason
    assert ran.outputs[0].text == "seen\n"


def test_a_notebook_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """Cells that keep to their own limit are stopped when together they pass the notebook's."""
    waits = "import threading\nthreading.Event().wait(300)"
    ran = execute(tmp_path, waits, waits, waits, execution_timeout=600, timeout_notebook_s=4)
    assert ran.outcome.error == "NotebookTimeLimit"
    assert "limit of 4 s" in ran.outcome.reason
    assert ran.outcome.ran == 0


@pytest.mark.parametrize(
    ("then", "limit_s"),
    [("1", 300), ("1 / 0", 300), ("import time\ntime.sleep(600)", 6), ("import os\nos._exit(0)", 300)],
)
def test_nothing_outlives_a_notebook(tmp_path: Path, then: str, limit_s: float) -> None:
    """The kernel, a child in a session of its own and an orphan in another are gone, however the notebook ended."""
    ran = execute(tmp_path, STARTS_OTHERS, then, execution_timeout=limit_s)
    pids = json.loads((tmp_path / "pids.json").read_text())
    assert len(pids) == 3
    assert living(pids) == []
    assert ran.outcome.cells == 2


def test_a_fork_that_a_cell_leaves_is_told_in_a_forked_kernel_too(tmp_path: Path) -> None:
    """A child that `os.fork` made is named and ended, although it looks as its kernel does, and that as its parent."""
    parent = parents.idle_or_new(environ())
    assert parent.ready().why_not is None
    fork_server.give_back(parent)
    forks = "import os, time\nif (pid := os.fork()) == 0:\n    time.sleep(600)"
    ran = execute(tmp_path, forks, "print(pid, os.getppid())")
    child, above = map(int, ran.nb.cells[1].outputs[0].text.split())
    assert len(ran.outcome.still_running) == 1
    assert living([child, above]) == [above]


def test_temporary_files_go_with_the_kernel(tmp_path: Path) -> None:
    """What a notebook leaves among temporary files is gone when it is over, also when its kernel was killed."""
    leaves = "import pathlib, tempfile\npathlib.Path('left').write_text(tempfile.mkdtemp())"
    for ends in ("1", "import os\nos._exit(0)"):
        execute(tmp_path, leaves, ends)
        left = Path((tmp_path / "left").read_text())
        assert not left.exists()
        assert not left.parent.exists()


def test_processes_that_still_run_at_the_end_are_told(tmp_path: Path) -> None:
    """A notebook that leaves processes running says which, and is not red for that."""
    ran = execute(tmp_path, STARTS_OTHERS)
    assert ran.error is None
    assert len(ran.outcome.still_running) == 2
    assert all("time.sleep(600)" in line for line in ran.outcome.still_running)


@pytest.mark.parametrize(
    ("loses", "place"),
    [
        ("import threading\nlost = threading.Thread(target=lambda: 1 / 0, name='worker')\nlost.start()\nlost.join()",
         "thread worker: ZeroDivisionError"),
        ("import asyncio\nasync def fails():\n    1 / 0\nkept = asyncio.create_task(fails(), name='job')\n"
         "await asyncio.sleep(0)", "task job: ZeroDivisionError"),
        ("import asyncio\nasync def fails():\n    1 / 0\nasyncio.create_task(fails(), name='job')\n"
         "await asyncio.sleep(0)", "task job: ZeroDivisionError"),
        ("import asyncio\nasync def fails():\n    1 / 0\nasync def main():\n"
         "    asyncio.create_task(fails(), name='job')\n    await asyncio.sleep(0.01)\n"
         "import threading\nother = threading.Thread(target=lambda: asyncio.run(main()))\nother.start()\nother.join()",
         "task job: ZeroDivisionError"),
        ("import asyncio\nasyncio.get_running_loop().call_soon(lambda: 1 / 0)\nawait asyncio.sleep(0)",
         "ZeroDivisionError"),
    ],
    ids=["thread", "task that is kept", "task that is dropped", "task in another loop", "callback"],
)  # fmt: skip
def test_an_error_that_nobody_sees_turns_the_notebook_red(tmp_path: Path, loses: str, place: str) -> None:
    """An error in a thread, a task or a callback is found, though every cell came to its end."""
    ran = execute(tmp_path, loses, HOLDS)
    assert ran.error is not None
    assert (ran.outcome.ran, ran.outcome.error) == (2, "LostError")
    assert any(place in line for line in ran.outcome.lost_errors)


def test_an_error_that_somebody_sees_is_not_lost(tmp_path: Path) -> None:
    """A task's error that is awaited and caught, and a thread that leaves by SystemExit, are no fault."""
    ran = execute(
        tmp_path,
        "import asyncio\nasync def fails():\n    1 / 0\ntask = asyncio.create_task(fails())",
        "try:\n    await task\nexcept ZeroDivisionError:\n    print('seen')",
        "import threading, sys\nthread = threading.Thread(target=sys.exit)\nthread.start()\nthread.join()",
    )
    assert ran.error is None
    assert ran.outcome.lost_errors == ()


def test_a_lost_error_survives_a_kernel_that_is_killed(tmp_path: Path) -> None:
    """What a thread lost before the kernel died is still told."""
    loses = "import threading\nlost = threading.Thread(target=lambda: 1 / 0)\nlost.start()\nlost.join()"
    ran = execute(tmp_path, loses, "import os\nos._exit(1)")
    assert ran.outcome.error == "KernelDied"
    assert "ZeroDivisionError" in ran.outcome.lost_errors[0]


@pytest.mark.parametrize("tag", ["skip-execution", "raises-exception"])
def test_no_tag_makes_a_cell_that_failed_or_did_not_run_green(tmp_path: Path, tag: str) -> None:
    """A cell that is kept from running, or whose error is allowed by a tag, turns the notebook red."""
    ran = execute(tmp_path, cell("1 / 0", "tagged", tag), "1")
    assert ran.error is not None
    assert ran.outcome.stopped_at == "In [1] tagged"
    assert ran.outcome.never_ran == ("In [2] cell-2",)


def test_a_cell_without_code_need_not_run(tmp_path: Path) -> None:
    """An empty code cell is not counted."""
    ran = execute(tmp_path, "", "1", "   ")
    assert (ran.error, ran.outcome.cells, ran.outcome.ran) == (None, 1, 1)


def test_a_cell_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    """A flood of output ends the kernel before it fills the memory, and the saved notebook stays small."""
    ran = execute(tmp_path, "while True:\n    print('x' * 1_000)", execution_timeout=120)
    assert ran.outcome.error == "TooMuchOutput"
    assert len(str(ran.nb)) < 30_000_000


def test_a_password_is_in_nothing_that_is_saved(tmp_path: Path) -> None:
    """A password is taken out of source, parameters, outputs, errors and metadata; the notebook says where."""
    secret = "s3cr3t/pass w0rd"
    plain = [
        f"who = 'nobody'  # never {secret}",
        "import os\nurl = os.environ['KIT_TEST_URL']\nprint(url)",
        "from urllib.parse import unquote, urlsplit\nword = unquote(urlsplit(url).password)\nword",
        "import sys\nsys.stdout.write(word[:4]); sys.stdout.flush(); sys.stdout.write(word[4:]); sys.stdout.flush()",
        "from IPython.display import HTML, JSON, display\ndisplay(HTML(f'<b>{word}</b>'), JSON({'a': [word]}))",
        "raise ValueError(word)",
    ]
    url = "postgresql://testuser:s3cr3t%2Fpass%20w0rd@127.0.0.1:5433/testdb"
    ran = execute(
        tmp_path, cell(plain[0], "parameters", "parameters"), *plain[1:],
        environ=environ(KIT_TEST_URL=url), parameters={"who": url, "password": "an0ther-w0rd"},
    )  # fmt: skip
    kept = (tmp_path / "executed.ipynb").read_text()
    for spelling in (secret, "s3cr3t", "s3cr3t%2Fpass%20w0rd", "an0ther-w0rd"):
        assert spelling not in kept
    assert kept.count("***") >= 8
    assert "In [4] cell-3" in ran.outcome.secrets_in
    assert ran.outcome.error == "ValueError"


def test_a_kernel_that_does_not_start_is_tried_again(tmp_path: Path) -> None:
    """A kernel that dies before its first cell is replaced by another, and the notebook runs."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib, sys\nonce = pathlib.Path(__file__).with_name('tried')\n"
        "if 'KIT_KERNEL' in os.environ and not once.exists():\n    once.touch()\n    os._exit(3)\n"
    )
    ran = execute(tmp_path, "1 + 1", environ=environ(PYTHONPATH=str(tmp_path)))
    assert (tmp_path / "tried").exists()
    assert (ran.error, ran.outcome.ran) == (None, 1)


def test_a_notebook_whose_kernel_never_starts_says_so(tmp_path: Path) -> None:
    """Where no kernel can be started, all cells are saved as never run, with the kernel's last words as reason."""
    (tmp_path / "ipykernel").mkdir()
    (tmp_path / "ipykernel" / "__init__.py").write_text("raise ImportError('a broken installation')")
    ran = execute(tmp_path, "1", "2", environ=environ(PYTHONPATH=str(tmp_path)))
    assert ran.error is not None
    assert (ran.outcome.error, ran.outcome.ran) == ("KernelNotStarted", 0)
    assert "a broken installation" in ran.outcome.reason
    assert len(ran.outcome.never_ran) == 2


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Where not even a process can be started, the notebook is saved with that as the reason."""
    path = write(tmp_path, "sample", "1")
    missing = tmp_path / "missing"
    with pytest.raises(PapermillExecutionError, match="KernelNotStarted"):
        papermill.execute_notebook(
            str(path), str(path), engine_name="kit", kernel_name="python3", language="python", progress_bar=False,
            folder=missing,
        )  # fmt: skip
    assert str(missing) in Outcome.of(nbformat.read(path, as_version=4)).reason


def test_nobody_is_asked(tmp_path: Path) -> None:
    """A cell that asks for input fails at once, because nobody is there to answer."""
    ran = execute(tmp_path, "input('Your name? ')")
    assert ran.outcome.error == "StdinNotImplementedError"


def test_a_failed_cell_is_never_tried_again(tmp_path: Path) -> None:
    """A notebook whose cell fails is run once: only the machine's faults are tried again, never a result."""
    ran = execute(tmp_path, "with open('runs', 'a') as file:\n    file.write('once')", "1 / 0")
    assert ran.error is not None
    assert (tmp_path / "runs").read_text() == "once"


def test_the_kernel_is_the_interpreter_of_the_kit(tmp_path: Path) -> None:
    """The cells run in the interpreter of the kit, in the folder asked for."""
    ran = execute(tmp_path, "import sys, os\nprint(sys.executable, os.getcwd())")
    assert ran.outputs[0].text.split() == [sys.executable, str(tmp_path)]


def test_modules_beside_the_notebook_can_be_imported(tmp_path: Path) -> None:
    """As in plain papermill a module of the kernel's folder is found, after those of the standard library."""
    (tmp_path / "helper.py").write_text("answer = 42\n")
    (tmp_path / "random.py").write_text("raise ImportError('shadowed')\n")
    ran = execute(tmp_path, "import random, helper\nhelper.answer")
    assert ran.error is None
    assert ran.outputs[0].data["text/plain"] == "42"


def test_what_cells_write_is_passed_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """papermill's `--log-output`, `--stdout-file` and `--stderr-file` are kept to, without secrets."""
    out, errors = StringIO(), StringIO()
    writes = "import sys, os\nprint('word', os.environ['MY_PASSWORD'])\nprint('warn', file=sys.stderr)\n42"
    with caplog.at_level("INFO", "papermill"):
        execute(
            tmp_path, writes, environ=environ(MY_PASSWORD="Xk9-planted"), log_output=True, stdout_file=out,
            stderr_file=errors,
        )  # fmt: skip
    assert (out.getvalue(), errors.getvalue()) == ("word ***\n", "warn\n")
    assert {"word ***\n", "warn\n", "42"} <= {record.getMessage() for record in caplog.records}
    assert "planted" not in caplog.text


def test_a_notebook_can_be_given_itself(tmp_path: Path) -> None:
    """As in plain papermill a notebook may be given instead of the path to one, also where a loop runs already."""

    async def run() -> None:
        papermill.execute_notebook(
            notebook(["1 + 1"]), str(tmp_path / "out.ipynb"), engine_name="kit", kernel_name="python3",
            language="python", progress_bar=False,
        )  # fmt: skip

    asyncio.run(run())
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].data["text/plain"] == "2"
    assert executed.metadata.papermill.input_path == ""
    assert executed.metadata.language_info.name == "python"


@pytest.mark.parametrize("name", ["not-there", "in-r", "other-python"])
def test_another_kernel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A kernel that is not installed, not Python, or another Python is named; nothing runs as what it is not."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for kernel, program, language in (("in-r", "R", "R"), ("other-python", "/other/bin/python", "python")):
        (tmp_path / "kernels" / kernel).mkdir(parents=True)
        spec = {"argv": [program, "{connection_file}"], "display_name": kernel, "language": language}
        (tmp_path / "kernels" / kernel / "kernel.json").write_text(json.dumps(spec))
    nb = notebook(["open('ran', 'w')"])
    nb.metadata.kernelspec = {"name": name, "display_name": name}
    with pytest.raises(NotebookError, match=name):
        papermill.execute_notebook(nb, str(tmp_path / "out.ipynb"), engine_name="kit", cwd=str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_ran_is_kept_however_papermill_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    """The saved notebook has the outputs of the cells that ran, is whole, and says that it is not complete.

    What it leaves in the directory for temporary files goes with its kernel, at the latest with the next start.
    """
    temporary = Path(tempfile.mkdtemp(prefix="kept-", dir="/tmp"))  # with a path that is short enough for sockets
    source = write(tmp_path, "sample", "print('kept')", "import time\ntime.sleep(600)", "3")
    saved, reading = tmp_path / "saved.ipynb", tmp_path / "reading"
    os.mkfifo(reading)  # the second cell opens it: by then the first one is over
    nb = nbformat.read(source, as_version=4)
    nb.cells[1].source = f"open({str(reading)!r}).read()"
    nbformat.write(nb, source)
    command = [sys.executable, "-m", "papermill", "--engine", "kit", "-k", "python3", str(source), str(saved)]
    process = subprocess.Popen(
        [*command, "--no-progress-bar"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    with reading.open("w"):
        process.send_signal(number)
        assert process.wait(60) != 0
    executed = nbformat.read(saved, as_version=4)
    outcome = Outcome.of(executed)
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert cells[0].outputs[0].text == "kept\n"
    assert (outcome.ran, outcome.stopped_at, outcome.never_ran) == (1, "In [2] cell-2", ("In [3] cell-3",))
    assert outcome.error == ("Interrupted" if number is signal.SIGINT else "Unfinished")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reading", "sample.ipynb", "saved.ipynb"]
    for lock in list(temporary.glob(f"*/{LOCK}")):
        with suppress(FileNotFoundError), lock.open() as held:  # who watches the kernel may be faster
            fcntl.flock(held, fcntl.LOCK_SH)  # until the kernel, which has it from papermill, has ended, too
    sweep(TEMPORARY, [temporary])
    temporary.rmdir()  # in which nothing is left


def test_an_error_without_end_is_cut(tmp_path: Path) -> None:
    """An error with a text of megabytes is told by its name and its beginning, and the notebook stays small."""
    ran = execute(tmp_path, "raise ValueError('x' * 5_000_000)")
    assert ran.outcome.error == "ValueError"
    assert ran.outcome.sentence.startswith("In [1] cell-1: ValueError: xxx")
    assert (tmp_path / "executed.ipynb").stat().st_size < 300_000


def test_sockets_instead_of_ports(tmp_path: Path) -> None:
    """A kernel is reached through files, so that kernels that start together cannot take each other's ports."""
    ran = execute(tmp_path, "from ipykernel.connect import get_connection_info\nprint(get_connection_info())")
    assert json.loads(ran.outputs[0].text)["transport"] == "ipc"


def test_pieces_of_one_stream_are_joined(tmp_path: Path) -> None:
    """Text that a cell prints in pieces is one output, and what is shown between two texts stays between them."""
    ran = execute(
        tmp_path,
        "import sys\nfor word in 'abc':\n    print(word, end='', flush=True)\n"
        "from IPython.display import display\ndisplay(1)\nprint('d')",
    )
    assert [output.get("text", "shown") for output in ran.outputs] == ["abc", "shown", "d\n"]


def test_a_second_run_of_an_executed_notebook_starts_clean(tmp_path: Path) -> None:
    """What a red run has added to a notebook is gone when that is run again and comes to its end."""
    first = execute(tmp_path, "import os\nassert 'PASS' in os.environ", "2")
    assert first.outcome.never_ran
    second = execute(tmp_path, *first.nb.cells, environ=environ(PASS="1"))
    assert (second.error, second.outcome.ran) == (None, 2)
    assert len(second.nb.cells) == 2
    assert "never-ran" not in str(second.nb)
