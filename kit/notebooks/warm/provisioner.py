"""The provisioner: forks a kernel from a warm parent; where that cannot be, starts an ordinary one and says why.

A parent costs what five kernels save, so the first five of a process, with one environment, are ordinary ones; the
later ones are forked.
A server that starts kernels for a user who waits (JupyterLab) has a parent prepared as soon as there is one kernel.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.multikernelmanager import MultiKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, Unicode

from kit.errors import TrialError
from kit.notebooks.warm import parents
from kit.notebooks.warm.forked import ForkedKernel, NotForked, Program, files_of
from kit.trials.fork_server import Kind

_KNOWN = {"cwd", "env", "extra_arguments", "independent", "kernel_id", "pass_fds", "stderr", "stdin", "stdout"}
"""The options of a start that a fork can have."""


class WarmProvisioner(LocalProvisioner):
    """Starts kernels as forks, in a session of their own and with their own files, folder and environment."""

    program = Unicode(
        "", help="The module (or MODULE:FUNCTION) that is the kernel, where the specification's command does not say so"
    ).tag(config=True)
    watches_owner = Bool(
        False, help="Whether the program ends itself, with all that it started, when its starter has exited"
    ).tag(config=True)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel that this command would start, or start it."""
        environ = dict(kwargs.get("env") or os.environ)
        many = isinstance(getattr(self.parent, "parent", None), MultiKernelManager)
        try:
            with open(os.devnull, "rb") as nothing:
                program = self._program(cmd, kwargs, environ, files_of(kwargs, nothing.fileno()))
                process = await asyncio.to_thread(_forked, program, many)
        except (NotForked, TrialError) as error:
            self.log.info("A kernel is started as a new process: %s.", error)
            await super().launch_kernel(cmd, **kwargs)
        else:
            self.process = process  # type: ignore[assignment]  # it has what is used of a Popen here
            self.pid, self.pgid, self.cwd = process.pid, process.pid, program.folder
        if many:
            parents.prepare(environ)
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Release what is held for a kernel whose end was not waited for, too: clients wait for some seconds only."""
        if isinstance(self.process, ForkedKernel) and not restart:
            await asyncio.to_thread(self.process.abandon)
        await super().cleanup(restart)

    def _program(
        self, cmd: Sequence[str], options: Mapping[str, Any], environ: Mapping[str, str], files: Mapping[int, int]
    ) -> Program:
        if options.get("independent"):
            raise NotForked("it is to outlive its client")
        unknown = sorted(set(options) - _KNOWN)
        if unknown:
            raise NotForked(f"its client asks for {', '.join(unknown)}")
        if not parents.is_this_interpreter(cmd[0]):
            raise NotForked(f"its interpreter is {cmd[0]}")
        name, arguments = _split(cmd)
        if not (self.program or name):
            raise NotForked("its command is no module of Python")
        folder = str(options.get("cwd") or os.getcwd())
        return Program(self.program or name, arguments, folder, environ, files, self.watches_owner)


def _forked(program: Program, many: bool) -> ForkedKernel:
    """Fork a kernel. Raises NotForked. Where kernels are `many`, nobody waits until a parent is ready."""
    parent = parents.idle(program.environ)
    if parent is None and (many or _started.few(program.environ)):
        raise NotForked("no parent is ready yet" if many else f"it is among the first {_FEW} with its environment")
    return ForkedKernel(parent or parents.idle_or_new(program.environ), program)


_FEW = 5


class _Started:
    """How many kernels this process has started, by the kind of their parents."""

    def __init__(self) -> None:
        self._lock, self._counts = threading.Lock(), Counter[Kind]()

    def few(self, environ: Mapping[str, str]) -> bool:
        """Count one more with this environment; return whether they are still few."""
        with self._lock:
            self._counts[kind := parents.kind(environ)] += 1
            return self._counts[kind] <= _FEW


_started = _Started()


def _split(cmd: Sequence[str]) -> tuple[str, list[str]]:
    """The module of a command line `python -m MODULE ARGUMENTS`, or "" where there is none; its arguments."""
    for position, word in enumerate(cmd[1:], 1):
        if word in ("-m", "-c"):
            return (cmd[position + 1] if word == "-m" else ""), list(cmd[position + 2 :])
        if word not in _WITHOUT_EFFECT:
            break
    return "", list(cmd[1:])


_WITHOUT_EFFECT = ("-Xfrozen_modules=off",)
"""Options of the interpreter without which a kernel does the same; this one is for its debugger."""
