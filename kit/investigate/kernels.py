"""One kernel: a process, its channels, and an end that nothing outlives."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.investigate import processes
from kit.investigate.kernel import LOST_ERRORS, OWNER, PLACE

QUIET = logging.getLogger("kit.investigate.kernels")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
QUIET.setLevel(logging.CRITICAL)

LOOKS_S = 0.1
"""How often a kernel that is starting is asked whether it answers."""
IOPUB_TIMEOUT_S = 60
"""How long the outputs of a cell may arrive after its end, on a machine that is busy with other things."""
OUTPUT_BYTES = 10_000_000
"""How much a cell may write. A loop that prints without end would else fill the memory before its time is up."""
END_WITH_THE_KERNEL = ("multiprocessing.resource_tracker", "/kit/worker ")
"""Processes that a notebook need not end: Python's own helper, and the parents that its trials were forked from."""
SOCKET_PATH_BYTES = 56
"""Longest folder for temporary files: the path of a socket, in a folder in a folder of it, may have 103 bytes."""


class KernelFailed(Exception):
    """A kernel did not start. No cell has run."""


class CellStopped(Exception):
    """A cell did not come to its end. `name` stands in the saved notebook as the name of the error."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(name, reason)


class Kernel:
    """A kernel that runs the cells of one notebook. Made by `start`, ended by `end`."""

    def __init__(self, nb: Any) -> None:
        self.mark = uuid.uuid4().hex
        self._place = _short_folder("kit-kernel-")
        self._aside = _short_folder("kit-tmp-")
        # A server that the notebook starts may run as another user, who has to get through to its files.
        self._aside.chmod(0o711)
        self._nb = nb
        self._manager: Any = _manager(self._place)
        self._channels: Any = None
        self._client: Any = None
        self._written = 0
        self._pipe, self._held = os.pipe()

    @classmethod
    async def start(cls, nb: Any, folder: Path, environ: Mapping[str, str], timeout_s: float) -> Kernel:
        """Start a kernel in `folder` and return it when it answers. KernelFailed after `timeout_s`."""
        kernel = cls(nb)
        try:
            await kernel._launch(folder, environ)
            await asyncio.wait_for(kernel._answers(), timeout_s)
        except TimeoutError:
            raise await kernel._failed(f"it did not answer within {timeout_s:g} s") from None
        except Exception as error:
            raise await kernel._failed(f"{type(error).__name__}: {error}") from error
        return kernel

    @property
    def pid(self) -> int:
        """The id of the kernel's process, which is that of its process group too."""
        return int(self._manager.provisioner.pid)

    @property
    def alive(self) -> bool:
        """Whether the kernel's process still runs."""
        process = self._manager.provisioner.process
        return process is not None and process.poll() is None

    async def run(self, cell: Any, index: int, limit_s: float) -> None:
        """Run a code cell to its end. CellStopped when it fails; TimeoutError, and a dead kernel, after `limit_s`."""
        from nbclient.exceptions import CellExecutionError, DeadKernelError

        self._written = 0
        task = asyncio.ensure_future(self._client.async_execute_cell(cell, index))
        await asyncio.wait({task}, timeout=limit_s)
        if not task.done():
            # Killed, not interrupted: an interrupt does not reach an `await`, and a cell may swallow it.
            processes.end(self.pid, self.mark)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise TimeoutError
        error = task.exception()
        if isinstance(error, CellExecutionError):
            raise CellStopped(error.ename, error.evalue)
        if isinstance(error, DeadKernelError) and self._written > OUTPUT_BYTES:
            wrote = f"the cell wrote more than {OUTPUT_BYTES:,} bytes"
            raise CellStopped("TooMuchOutput", f"{wrote}, so its kernel was killed")
        if isinstance(error, DeadKernelError):
            raise CellStopped("KernelDied", self._how_it_died())
        if error is not None:
            raise CellStopped(type(error).__name__, str(error))

    async def last_look(self) -> None:
        """Have the kernel write down the errors that nobody has looked at yet."""
        look = f"await __import__({kernel_module!r}, fromlist=['last_look']).last_look()"
        await self._client.async_wait_for_reply(self._channels.execute(look, silent=True, store_history=False))

    def lost_errors(self) -> list[str]:
        """Return what the kernel wrote down about errors in threads and tasks, a sentence each."""
        record = self._place / LOST_ERRORS
        entries = map(json.loads, record.read_text("utf-8").splitlines()) if record.exists() else ()
        return ["{where}: {error}: {message} (at: {line})".format(**entry) for entry in entries]

    def still_running(self) -> list[str]:
        """Return the command lines of processes that the notebook started and has not ended."""
        found = {*processes.descendants(self.pid), *processes.marked(self.mark)} - {self.pid}
        lines = (processes.command_line(pid) for pid in sorted(found))
        return [line for line in lines if line and not any(own in line for own in END_WITH_THE_KERNEL)]

    async def end(self) -> None:
        """Kill the kernel with all that it started, close its channels and remove its files."""
        if self._manager.has_kernel:
            processes.end(self.pid, self.mark)
            process = self._manager.provisioner.process
            await asyncio.get_running_loop().run_in_executor(None, process.wait)
            await self._manager.provisioner.wait()
        if self._channels is not None:
            self._channels.stop_channels()
        await self._manager.cleanup_resources()
        for pipe in (self._held, self._pipe):
            os.close(pipe)
        for folder in (self._place, self._aside):
            shutil.rmtree(folder, ignore_errors=True)

    async def _launch(self, folder: Path, environ: Mapping[str, str]) -> None:
        own = {
            processes.MARK: self.mark,
            PLACE: str(self._place),
            OWNER: str(self._pipe),
            # What the notebook and its trials put aside goes with the kernel, also where they were killed.
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
        self._channels.allow_stdin = False  # nobody is there to answer: input() fails at once instead of waiting
        self._channels.start_channels(stdin=False, hb=False, control=False)
        # The first message on iopub shows that outputs will arrive; a reply alone does not.
        while not await self._channels.iopub_channel.msg_ready():
            if not await self._manager.is_alive():
                raise ChildProcessError(f"it ended at once {self._how_it_died()}")
            self._channels.kernel_info()
            await asyncio.sleep(LOOKS_S)
        self._client = _counting_client()(
            self._nb,
            self._keeps,
            km=self._manager,
            log=QUIET,
            force_raise_errors=True,
            raise_on_iopub_timeout=True,
            iopub_timeout=IOPUB_TIMEOUT_S,
        )
        self._client.kc = self._channels

    def _keeps(self, message: Any) -> bool:
        """Tell whether an output is kept. The first one that goes beyond the limit ends the kernel."""
        if self._written > OUTPUT_BYTES:
            return False
        self._written += len(str(message["content"])) if message["msg_type"] in ("stream", "display_data") else 0
        if self._written > OUTPUT_BYTES:
            processes.end(self.pid, self.mark)
            return False
        return True

    async def _failed(self, why: str) -> KernelFailed:
        last_words = self._last_words()
        await self.end()
        return KernelFailed(f"no kernel could be started: {why}{last_words}")

    def _how_it_died(self) -> str:
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
        return f"; its last words: {lines[-1].strip()}" if lines else ""


kernel_module = "kit.investigate.kernel"


def _short_folder(prefix: str) -> Path:
    """Make a folder that only its owner may enter, with a path short enough for the sockets in it."""
    fits = len(tempfile.gettempdir().encode()) <= SOCKET_PATH_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=None if fits else "/tmp"))


def _manager(place: Path) -> Any:
    # Sockets in a folder of the kernel's own, instead of ports that another kernel may take meanwhile.
    from jupyter_client.manager import AsyncKernelManager

    return AsyncKernelManager(
        transport="ipc",
        connection_file=str(place / "kernel.json"),
        kernel_spec_manager=_this_interpreter()(),
        log=QUIET,
    )


@functools.cache
def _counting_client() -> type[Any]:
    from nbclient import NotebookClient

    class CountingClient(NotebookClient):
        """Asks before it keeps an output."""

        def __init__(self, nb: Any, keeps: Callable[[Any], bool], **options: Any) -> None:
            super().__init__(nb, **options)
            self._keeps = keeps

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            return super().process_message(msg, cell, cell_index) if self._keeps(msg) else None

    return CountingClient


@functools.cache
def _this_interpreter() -> type[Any]:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class ThisInterpreter(KernelSpecManager):
        """Knows one kernel: the interpreter that runs the kit, whatever is installed for the user."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            argv = [sys.executable, "-P", "-m", kernel_module, "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Python 3 (kit)", language="python")

    return ThisInterpreter
