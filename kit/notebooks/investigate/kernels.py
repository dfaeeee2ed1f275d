"""One kernel: a process, its channels, and an end that leaves no process behind."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit import processes, workfolder
from kit.errors import NotebookError
from kit.notebooks import warm
from kit.notebooks.investigate.kernel import LOST_ERRORS, MARK, OWNER, PLACE
from kit.notebooks.investigate.outputs import Amount, TooMuch
from kit.notebooks.warm import parents
from kit.pair.run import sweep

QUIET = logging.getLogger("kit.notebooks.investigate.kernels")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
QUIET.setLevel(logging.CRITICAL)

LOOKS_S = 0.1
"""How often a kernel that is starting is asked whether it answers."""
IOPUB_TIMEOUT_S = 60
"""How long the outputs of a cell may arrive after its end, on a machine that is busy with other things."""
END_WITH_THE_KERNEL = ("multiprocessing.resource_tracker", "/kit/trials/worker ")
"""Processes that a notebook need not end: Python's own helper, and the parents that its trials were forked from.

A kernel that is a fork of such a parent looks like one, and so do its own forks, which a notebook has to end.
"""
_FATAL = "Fatal Python error"


class KernelFailed(Exception):
    """A kernel did not start. No cell has run."""


class CellStopped(Exception):
    """A cell did not finish. `name` is the error's name in the saved notebook."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(name, reason)


class Kernel:
    """A kernel that runs the cells of one notebook. Created by `start`, ended by `end`."""

    def __init__(self, nb: Any, amount: Amount, wrote: Callable[[Any, Any], None]) -> None:
        self._number = uuid.uuid4().hex
        self.mark = f"{MARK}={self._number}"
        self._place, self._lock = workfolder.make_short("kit-kernel-")
        self._aside, self._lock_aside = workfolder.make_short("kit-tmp-")
        # A server that the notebook starts may run as another user, who must be able to reach its files.
        self._aside.chmod(0o711)
        self._nb = nb
        self._manager: Any = _manager(self._place)
        self._channels: Any = None
        self._client: Any = None
        self._amount, self._wrote = amount, wrote
        self._too_much = ""
        self._pipe, self._held = os.pipe()

    @classmethod
    async def start(
        cls,
        nb: Any,
        folder: Path,
        environ: Mapping[str, str],
        timeout_s: float,
        amount: Amount,
        wrote: Callable[[Any, Any], None],
    ) -> Kernel:
        """Start a kernel in `folder`, and return it when it answers. Raises KernelFailed after `timeout_s`.

        `amount` limits the output of cells. `wrote` is called for each message that was added to the outputs of a cell.
        """
        kernel = cls(nb, amount, wrote)
        try:
            await kernel._launch(folder, environ)
            await asyncio.wait_for(kernel._answers(), timeout_s)
        except TimeoutError:
            raise await kernel._failed(f"it did not answer within {timeout_s:g} s") from None
        except Exception as error:
            raise await kernel._failed(f"{type(error).__name__}: {error}") from error
        except BaseException:  # Ctrl-C
            await kernel.end()
            raise
        return kernel

    @property
    def pid(self) -> int:
        """The process number of the kernel, which is also that of its process group."""
        return int(self._manager.provisioner.pid)

    @property
    def alive(self) -> bool:
        """Whether the kernel's process is running."""
        process = self._manager.provisioner.process
        return process is not None and process.poll() is None

    async def run(self, cell: Any, index: int, limit_s: float) -> None:
        """Run a code cell. Raises CellStopped when it fails, TimeoutError (the kernel is dead) after `limit_s`."""
        from nbclient.exceptions import CellExecutionError, DeadKernelError

        self._amount.begin_cell()
        task = asyncio.ensure_future(self._client.async_execute_cell(cell, index))
        await asyncio.wait({task}, timeout=limit_s)
        if not task.done():
            # Killed, not interrupted: an interrupt does not reach an `await`, and a cell may swallow it.
            processes.end(self.pid, self.mark)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise TimeoutError
        self._amount.end_cell(cell)
        error = task.exception()
        if isinstance(error, CellExecutionError):
            raise CellStopped(error.ename, error.evalue)
        if isinstance(error, DeadKernelError) and self._too_much:
            raise CellStopped("TooMuchOutput", f"{self._too_much}, so its kernel was killed")
        if isinstance(error, DeadKernelError):
            raise CellStopped("KernelDied", self._describe_death())
        if error is not None:
            raise CellStopped(type(error).__name__, str(error))

    async def describe(self) -> None:
        """Add the metadata that papermill adds: the kernel's language, and the state of widgets."""
        reply = await self._client.async_wait_for_reply(self._channels.kernel_info())
        self._nb.metadata["language_info"] = reply["content"]["language_info"]
        self._client.set_widgets_metadata()

    async def last_look(self) -> None:
        """Let the kernel record the errors of tasks that nobody has retrieved yet."""
        look = f"await __import__({kernel_module!r}, fromlist=['last_look']).last_look()"
        await self._client.async_wait_for_reply(self._channels.execute(look, silent=True, store_history=False))

    def lost_errors(self) -> list[str]:
        """Return a sentence for each error in threads and tasks that the kernel recorded."""
        record = self._place / LOST_ERRORS
        entries = map(json.loads, record.read_text("utf-8").splitlines()) if record.exists() else ()
        return ["{where}: {error}: {message} (at: {line})".format(**entry) for entry in entries]

    def still_running(self) -> list[str]:
        """Return the command lines of running processes that the notebook started."""
        found = processes.processes_of(self.pid, self.mark) - {self.pid}
        lines = [line for pid in sorted(found) if (line := _command_line(pid))]
        kernel = _command_line(self.pid)
        return [line for line in lines if line == kernel or not any(own in line for own in END_WITH_THE_KERNEL)]

    async def end(self) -> None:
        """Kill the kernel with all its descendants, close its channels and remove its files."""
        if self._manager.has_kernel:
            processes.end(self.pid, self.mark)
            process = self._manager.provisioner.process
            await asyncio.get_running_loop().run_in_executor(None, process.wait)
            await self._manager.provisioner.wait()
            sweep()  # a pair that the notebook started: its supervisor was killed with the kernel
        if self._channels is not None:
            self._channels.stop_channels()
        await self._manager.cleanup_resources()
        for folder in (self._place, self._aside):
            workfolder.remove(folder)
        for held in (self._held, self._pipe, self._lock, self._lock_aside):
            os.close(held)

    async def _launch(self, folder: Path, environ: Mapping[str, str]) -> None:
        own = {
            MARK: self._number,
            PLACE: str(self._place),
            OWNER: str(self._pipe),
            # Temporary files of the notebook and its trials are removed with the kernel, even if those were killed.
            "TMPDIR": str(self._aside),
        }
        with (self._place / "log").open("wb") as log:
            await self._manager.start_kernel(
                cwd=str(folder),
                env={**environ, **own},
                stdout=log,
                stderr=log,
                pass_fds=(self._pipe,),
                extra_arguments=["--HistoryManager.enabled=False"],
            )

    async def _answers(self) -> None:
        self._channels = self._manager.client()
        self._channels.allow_stdin = False  # nobody can answer: input() fails at once instead of waiting
        self._channels.start_channels(stdin=False, hb=False, control=False)
        # The first message on iopub shows that outputs will arrive; a reply alone does not.
        while not await self._channels.iopub_channel.msg_ready():
            if not await self._manager.is_alive():
                raise ChildProcessError(f"it ended at once {self._describe_death()}")
            self._channels.kernel_info()
            await asyncio.sleep(LOOKS_S)
        self._client = _watched_client()(
            self._nb,
            self._take,
            km=self._manager,
            log=QUIET,
            force_raise_errors=True,
            raise_on_iopub_timeout=True,
            iopub_timeout=IOPUB_TIMEOUT_S,
        )
        self._client.kc = self._channels

    def _take(self, message: Any, cell: Any, take: Callable[[], Any]) -> Any:
        """Add a message to the outputs of a cell. The first message beyond the limit kills the kernel."""
        if self._too_much:
            return take() if message["msg_type"] == "status" else None
        try:
            self._amount.check(message)
            output = take()
            self._amount.count(message, cell)
        except TooMuch as too_much:
            self._too_much = str(too_much)
            processes.end(self.pid, self.mark)
            return None
        self._wrote(message, cell)
        return output

    async def _failed(self, why: str) -> KernelFailed:
        last_words = self._last_words()
        await self.end()
        return KernelFailed(f"no kernel could be started: {why}{last_words}")

    def _describe_death(self) -> str:
        process = self._manager.provisioner.process
        code = None if process is None else process.poll()
        if code is None:
            return f"the kernel ended{self._last_words()}"
        if code < 0:
            name = signal.Signals(-code).name
            return f"the kernel was killed by {name}{self._last_words()}"
        return f"the kernel ended itself with exit code {code}{self._last_words()}"

    def _last_words(self) -> str:
        log = self._place / "log"
        lines = log.read_text("utf-8", errors="replace").strip().splitlines() if log.exists() else []
        fatal = [line for line in lines if line.startswith(_FATAL)]  # a list of frames and libraries follows
        return f"; its last words: {(fatal or lines)[-1].strip()}" if lines else ""


def _command_line(pid: int) -> str:
    return processes.arguments(pid).decode(errors="replace").strip()


kernel_module = "kit.notebooks.investigate.kernel"
# The notebook's folder must not precede the kit's modules on sys.path; IPython later inserts it after the standard
# library, so that the notebook can import from it.
_START = f"import sys; sys.path[:] = filter(None, sys.path); from {kernel_module} import main; main()"


def _manager(place: Path) -> Any:
    # Sockets in the kernel's own folder, because ports might be taken by another kernel in the meantime.
    from jupyter_client.manager import AsyncKernelManager

    return AsyncKernelManager(
        transport="ipc",
        connection_file=str(place / "kernel.json"),
        kernel_spec_manager=_this_interpreter()(),
        log=QUIET,
    )


@functools.cache
def _watched_client() -> type[Any]:
    from nbclient import NotebookClient

    class WatchedClient(NotebookClient):
        """Passes each message to a callback before it is added to the outputs of its cell."""

        def __init__(self, nb: Any, taken_by: Callable[[Any, Any, Callable[[], Any]], Any], **options: Any) -> None:
            super().__init__(nb, **options)
            self._taken_by = taken_by

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            take = functools.partial(super().process_message, msg, cell, cell_index)
            return self._taken_by(msg, cell, take)

    return WatchedClient


def check_name(name: str) -> None:
    """Raise NotebookError unless a notebook's kernel is the interpreter that runs the kit."""
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager, NoSuchKernel

    if name == NATIVE_KERNEL_NAME:
        return
    found = f"The notebook names the kernel {name!r}"
    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        found += ", which is not installed"
    else:
        if spec.language.lower() == "python" and parents.is_this_interpreter(spec.argv[0]):
            return
        found += f", which is {spec.argv[0]} ({spec.language})"
    raise NotebookError(
        found,
        wanted=f"{NATIVE_KERNEL_NAME}, the interpreter that runs the kit",
        remedy=f"choose {NATIVE_KERNEL_NAME} in the notebook (papermill: -k), or run it with plain papermill",
    )


@functools.cache
def _this_interpreter() -> type[Any]:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class ThisInterpreter(KernelSpecManager):
        """Offers one kernel, the interpreter that runs the kit, regardless of the kernels installed for the user."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            argv = [sys.executable, "-c", _START, "-f", "{connection_file}"]
            metadata = warm.metadata(program=f"{kernel_module}:main", watches_owner=True)
            return KernelSpec(argv=argv, display_name="Python 3 (kit)", language="python", metadata=metadata)

    return ThisInterpreter
