"""Warm kernels: forks of a process that has imported what notebooks need, instead of new interpreters.

    provisioner   what Jupyter's clients start and end kernels with; falls back to an ordinary kernel, and says why
    parents       the parents that wait to be forked, those of trials (`kit.trials.fork_server`) with IPython in them
    forked        one forked kernel, as the process that Jupyter expects
    start         the program of a forked kernel

It is registered under the name `kit-warm` (entry point group `jupyter_client.kernel_provisioners`), so that papermill,
nbclient and JupyterLab use it where JUPYTER_DEFAULT_PROVISIONER_NAME or a kernel's specification says so.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

NAME = "kit-warm"
"""The name of the provisioner's entry point."""


def is_installed() -> bool:
    """Whether Jupyter's clients find the provisioner; not where the kit is only on the path."""
    return bool(entry_points(group="jupyter_client.kernel_provisioners", name=NAME))


def metadata(**config: Any) -> dict[str, Any]:
    """The metadata of a kernel specification whose kernels are warm, with the provisioner's settings."""
    return {"kernel_provisioner": {"provisioner_name": NAME, "config": config}} if is_installed() else {}
