"""The cost of a notebook's kernel, for tools/bench.py: a fork of a warm parent against a new interpreter."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from bench_figures import Figure, in_turn
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from kit.notebooks import warm
from kit.notebooks.warm import parents
from kit.trials.fork_server import close_idle, give_back

ARGV = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
IMPORTS = "import pandas, kit.notebooks.cells"
PART_AT_MOST = 0.25


def processor_s(name: str) -> float:
    """Return the processor time of a kernel until it has imported what a notebook of the kit uses."""
    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(transport="ipc", connection_file=str(Path(folder) / "kernel.json"))
        metadata = {"kernel_provisioner": {"provisioner_name": name}}
        manager._kernel_spec = KernelSpec(argv=ARGV, display_name=name, language="python", metadata=metadata)
        manager.start_kernel(cwd=folder)
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            client.execute_interactive(IMPORTS, timeout=60)
            spent = psutil.Process(manager.provisioner.pid).cpu_times()
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return float(spent.user + spent.system)


def figures(runs: int) -> Iterator[Figure]:
    """Yield the figure of a warm kernel."""
    parent = parents.idle_or_new(os.environ)
    parent.ready()
    give_back(parent)
    forked_s, new_s = in_turn(lambda: processor_s(warm.NAME), lambda: processor_s("local-provisioner"), runs)
    close_idle()
    most = 1000 * PART_AT_MOST * new_s
    yield Figure("a warm kernel, processor time", 1000 * forked_s, "an ordinary kernel", 1000 * new_s, most, "ms", runs)
