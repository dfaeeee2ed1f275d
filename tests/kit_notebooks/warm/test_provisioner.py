"""A warm kernel is what an ordinary one is, and ends as one; where none can be forked, the reason is told."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from jupyter_client.multikernelmanager import MultiKernelManager

from kit.notebooks import warm
from kit.notebooks.warm import parents
from kit.trials.fork_server import close_idle, give_back

ARGV = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
STARTS_ANOTHER = """
import subprocess, sys
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(other.pid)
"""
FACTS = """
import json, os, random, resource, signal, sys, threading
import pandas
facts = {
    "arguments": [word for word in sys.argv[1:] if "parent_handle" not in word and not word.endswith(".json")],
    "program": os.path.basename(sys.argv[0]),
    "path": [entry for entry in sys.path if entry],
    "folder": os.getcwd(),
    "environ": {name: value for name, value in os.environ.items() if not name.startswith(("JPY_", "KIT_"))},
    "signals": {str(number): str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)},
    "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:3],
    "leads its session": os.getsid(0) == os.getpgid(0) == os.getpid(),
    "threads": sorted(thread.name for thread in threading.enumerate()),
    "main": __name__, "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "standard streams": [sys.__stdout__.name, sys.__stderr__.name],
    "warnings": sys.warnoptions, "encodings": [sys.stdout.encoding, sys.getfilesystemencoding()],
}
print(json.dumps(facts))
"""


@contextmanager
def running(folder: Path, *, name: str = warm.NAME, argv: list[str] = ARGV, **config: Any) -> Iterator[Kernel]:
    """A kernel that this provisioner starts in a folder."""
    provisioner = {"kernel_provisioner": {"provisioner_name": name, "config": config}}
    manager = KernelManager(transport="ipc", connection_file=str(folder / f"{name}.json"))
    manager._kernel_spec = KernelSpec(argv=argv, display_name="a kernel", language="python", metadata=provisioner)
    manager.start_kernel(cwd=str(folder), env={**os.environ, "KIT_OF_THIS_TEST": name})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


class Kernel:
    def __init__(self, manager: Any, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    @property
    def process(self) -> Any:
        return self.manager.provisioner.process

    @property
    def forked(self) -> bool:
        return not isinstance(self.process, subprocess.Popen)

    def says(self, code: str) -> str:
        """What a cell prints, with the name of its error and the kinds of its pictures."""
        said: list[str] = []

        def take(message: Any) -> None:
            content = message["content"]
            said.append(content.get("text") or content.get("ename") or " ".join(content.get("data", ())))

        self.client.execute_interactive(textwrap.dedent(code), output_hook=take, timeout=60)
        return "".join(said).strip()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A parent for this process's environment waits; a folder for kernels with a short name."""
    parent = parents.idle_or_new(os.environ)
    assert parent.ready().why_not is None
    give_back(parent)
    yield tmp_path_factory.mktemp("k")
    close_idle()


def test_a_forked_kernel_is_what_an_ordinary_one_is(ready: Path) -> None:
    """Arguments, paths, folder, variables, files, session, threads, signals and limits are the same."""
    with running(ready, name="local-provisioner") as ordinary, running(ready) as forked:
        assert (ordinary.forked, forked.forked) == (False, True)
        assert json.loads(forked.says(FACTS)) == json.loads(ordinary.says(FACTS))


def test_forks_of_one_parent_draw_different_numbers(ready: Path) -> None:
    """Python's and numpy's generators have a seed of their own in each kernel."""
    draw = "import numpy, os, random; print(os.getppid(), random.random(), numpy.random.rand())"
    drawn = []
    for _ in range(2):
        with running(ready) as kernel:
            drawn.append(kernel.says(draw).split())
    (parent, *first), (same_parent, *second) = drawn
    assert parent == same_parent
    assert not set(first) & set(second)


def test_a_kernel_whose_end_is_not_waited_for_is_released(ready: Path) -> None:
    """A client that gives up waiting cleans up: the kernel is gone, and nothing of its parent is left open here."""
    with running(ready) as kernel:
        process = kernel.process
        asyncio.run(kernel.manager.provisioner.cleanup(restart=True))
        assert process.poll() is None
        asyncio.run(kernel.manager.provisioner.cleanup())
        assert process.poll() == -signal.SIGKILL
        assert not psutil.pid_exists(process.pid)
        assert process._connection.fileno() == -1
    give_back_ready()


def give_back_ready() -> None:
    parent = parents.idle_or_new(os.environ)
    parent.ready()
    give_back(parent)


@pytest.mark.parametrize(
    ("end", "code"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("os.kill(os.getpid(), 15)", None)]
)
def test_the_exit_code_is_the_kernels(ready: Path, end: str, code: int | None) -> None:
    """How a kernel ended is known as it is of a process of one's own, and its parent serves the next one."""
    with running(ready) as kernel:
        parent = kernel.says("import os; print(os.getppid())")
        kernel.client.execute(end)
        ended = kernel.process.wait(60)
    with running(ready, name="local-provisioner") as ordinary:
        ordinary.client.execute(f"import os; {end}")
        assert ended == ordinary.process.wait(60) == (ended if code is None else code)
    with running(ready) as kernel:
        assert kernel.says("import os; print(os.getppid())") == parent


def test_an_interrupt_stops_the_cell_and_not_the_parent(ready: Path) -> None:
    """A cell that runs is interrupted, and the kernel answers the next one."""
    with running(ready) as kernel:
        kernel.client.execute("print('now', flush=True)\nimport time; time.sleep(600)")
        while kernel.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            continue
        kernel.manager.interrupt_kernel()
        assert kernel.client.get_shell_msg(timeout=60)["content"]["ename"] == "KeyboardInterrupt"
        while "again" not in kernel.says("print('again')"):  # IPython drops what comes as it clears its queue
            continue
        assert psutil.Process(kernel.process.pid).parent().is_running()


def test_what_a_kernel_leaves_goes_on(ready: Path) -> None:
    """A server that a cell started outlives its kernel, as it does after an ordinary one; the kernel's parent ends."""
    with running(ready) as kernel:
        other = psutil.Process(int(kernel.says(STARTS_ANOTHER)))
        above = psutil.Process(kernel.process.pid).parent()
    try:
        above.wait(60)
        assert other.is_running()
    finally:
        other.kill()
    give_back_ready()


def test_what_a_kernel_leaves_is_ended_where_its_program_says_so(ready: Path) -> None:
    """Of a program that ends itself with all that it started, nothing goes on, and its parent serves the next one."""
    with running(ready, watches_owner=True) as kernel:
        other = psutil.Process(int(kernel.says(STARTS_ANOTHER)))
        above = psutil.Process(kernel.process.pid).parent()
    psutil.wait_procs([other], 60)
    assert not other.is_running()
    assert above.is_running()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_kernels_and_parents_end_with_their_starter(tmp_path: Path, number: signal.Signals) -> None:
    """A process that is killed with a forked kernel leaves neither the kernel nor its parent."""
    script = f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from tests.kit_notebooks.warm.test_provisioner import give_back_ready, running
        give_back_ready()
        with running(Path({str(tmp_path)!r})) as kernel:
            print(kernel.says("import os; print(os.getpid(), os.getppid())"), flush=True)
            time.sleep(600)
    """
    starter = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in starter.stdout.readline().split()]
    starter.send_signal(number)
    starter.communicate(timeout=60)
    assert len(processes) == 2
    assert psutil.wait_procs(processes, 60)[1] == []


@pytest.mark.parametrize(
    ("argv", "options", "why"),
    [
        (["/usr/bin/env", *ARGV], {}, "its interpreter is /usr/bin/env"),
        ([sys.executable, "-c", f"import runpy; runpy.run_module({ARGV[2]!r}, run_name='__main__')", *ARGV[3:]], {},
         "its command is no module of Python"),
        (ARGV, {"umask": 0o77}, "its client asks for umask"),
        (ARGV, {"stdout": subprocess.PIPE}, "its client holds the other end of its stdout"),
        (ARGV, {"stdin": subprocess.PIPE}, "its client holds the other end of its stdin"),
        (ARGV, {"independent": True}, "it is to outlive its client"),
        (ARGV, {"env": {**os.environ, "MALLOC_ARENA_MAX": "1"}}, "it is among the first"),
    ],
)  # fmt: skip
def test_where_no_fork_can_be_the_kernel_is_an_ordinary_one_and_the_reason_is_told(
    ready: Path, argv: list[str], options: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another interpreter, other code, options or variables: the kernel starts all the same, and the log says why."""
    provisioner = {"kernel_provisioner": {"provisioner_name": warm.NAME}}
    manager = KernelManager(transport="ipc", connection_file=str(ready / "other.json"), log=logging.getLogger("told"))
    manager._kernel_spec = KernelSpec(argv=argv, display_name="a kernel", language="python", metadata=provisioner)
    caplog.set_level(logging.INFO)
    manager.start_kernel(**options)
    try:
        assert isinstance(manager.provisioner.process, subprocess.Popen)
        assert f"A kernel is started as a new process: {why}" in caplog.text
    finally:
        manager.shutdown_kernel(now=True)


def test_a_module_that_was_edited_is_not_forked_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a library was installed again, or a module edited, a restarted kernel has it as it is; the parent ends."""
    module = tmp_path / "site-packages" / "an_edited_module.py"
    module.parent.mkdir()
    module.write_text("VERSION = 1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(module.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(parents, "MODULES", (*parents.MODULES, "an_edited_module"))
    give_back_ready()
    version = "import an_edited_module; print(an_edited_module.VERSION)"
    with running(tmp_path) as kernel:
        assert (kernel.forked, kernel.says(version)) == (True, "1")
        above = psutil.Process(kernel.process.pid).parent()
    module.write_text("VERSION = 12")
    with running(tmp_path) as kernel:
        assert (kernel.forked, kernel.says(version)) == (False, "12")
    assert psutil.wait_procs([above], 60)[1] == []


def test_a_server_of_many_kernels_never_waits_and_prepares_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first kernel of a server is an ordinary one at once; meanwhile a parent gets ready, and serves the next."""
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", warm.NAME)
    monkeypatch.setenv("OF_THIS_TEST", "another environment, for which no parent waits")
    kernels = MultiKernelManager()
    try:
        first = kernels.get_kernel(kernels.start_kernel())
        assert isinstance(first.provisioner.process, subprocess.Popen)
        give_back_ready()
        second = kernels.get_kernel(kernels.start_kernel())
        assert not isinstance(second.provisioner.process, subprocess.Popen)
        pid = second.provisioner.pid
        second.restart_kernel(now=True)
        assert second.provisioner.pid != pid
    finally:
        kernels.shutdown_all(now=True)
