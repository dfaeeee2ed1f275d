"""The program of a kernel: ipykernel, plus a record of lost errors, plus a watch on its owner.

An exception in a background thread, or in an asyncio task that nobody awaits, does not stop a cell. This program writes
each one to a file, line by line, so that the record survives a kernel that is killed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import threading
import traceback
from pathlib import Path
from typing import Any

from kit import processes
from kit.pair.lending import ADDRESS_VARIABLE
from kit.trials import fork_server

MARK = "KIT_KERNEL"
"""The variable that every process started from a kernel inherits. Each kernel has a value of its own."""
PLACE = "KIT_KERNEL_PLACE"
"""The variable that names the kernel's own folder."""
OWNER = "KIT_KERNEL_OWNER"
"""The variable that gives the number of a pipe, whose other end the owner holds for as long as it lives."""
LOST_ERRORS = "lost"


def _write_down(where: str, error: BaseException) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    line = (frames[-1].line or "") if frames else ""
    entry = {"where": where, "error": type(error).__name__, "message": str(error), "line": line}
    with (Path(os.environ[PLACE]) / LOST_ERRORS).open("a", encoding="utf-8") as record:
        record.write(json.dumps(entry) + "\n")


def _watch_threads() -> None:
    shown_by = threading.excepthook

    def hook(args: threading.ExceptHookArgs, /) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            _write_down(f"thread {args.thread.name}" if args.thread else "a thread", args.exc_value)
        shown_by(args)

    threading.excepthook = hook


def _watch_tasks() -> None:
    # Patches the class, not a handler of one loop, because a notebook may create loops of its own.
    shown_by = asyncio.BaseEventLoop.default_exception_handler

    def handler(loop: asyncio.BaseEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            _write_down(_place(context.get("task") or context.get("future")), error)
        shown_by(loop, context)

    asyncio.BaseEventLoop.default_exception_handler = handler  # type: ignore[method-assign, assignment]


def _place(future: object) -> str:
    return f"task {future.get_name()}" if isinstance(future, asyncio.Task) else "a future"


def _end_with_owner(pipe: int, mark: str, folders: list[str]) -> None:
    os.read(pipe, 1)  # returns when the owner has exited, even by SIGKILL
    processes.end_others(mark)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    processes.end_group(os.getpgid(0))


async def last_look() -> None:
    """Record the exceptions of failed tasks that are still referenced and were never retrieved."""
    await asyncio.sleep(0)
    gc.collect()
    for found in gc.get_objects():
        if isinstance(found, asyncio.Future) and found.done() and getattr(found, "_log_traceback", False):
            error = found.exception()
            if error is not None:
                _write_down(_place(found), error)


def main() -> None:
    """Run an IPython kernel with this process's arguments until it is killed or its owner has exited."""
    # ipykernel's own watch on its parent would exit in the middle of the cleanup.
    os.environ.pop("JPY_PARENT_PID", None)
    from ipykernel.kernelapp import IPKernelApp

    class KernelApp(IPKernelApp):
        """Does not log how to connect by hand, because the end of the log must show why the kernel died."""

        def log_connection_info(self) -> None:
            """Log nothing."""

    # Read before any cell runs, because a cell may change variables.
    mark, folders = f"{MARK}={os.environ[MARK]}", [os.environ[PLACE], os.environ["TMPDIR"]]
    watch = (int(os.environ.pop(OWNER)), mark, folders)
    threading.Thread(target=_end_with_owner, args=watch, name="kit-owner", daemon=True).start()
    # For this process, not for its children.
    fork_server.borrow(os.environ.pop(fork_server.LENT_VARIABLE, "[]"))
    if ADDRESS_VARIABLE in os.environ:
        fork_server.borrow_from(os.environ[ADDRESS_VARIABLE])
    _watch_threads()
    _watch_tasks()
    KernelApp.launch_instance()
