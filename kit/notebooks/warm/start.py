"""The program of a kernel that is a fork: what an ordinary kernel reads at its start is read again, then IPython runs.

    python -m kit.notebooks.warm.start PROGRAM ARGUMENTS     PROGRAM is a module, or a function as MODULE:FUNCTION
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys


def main() -> None:
    """Run the kernel's program with its arguments."""
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    if sys.path[0] == os.getcwd():  # IPython inserts the notebook's folder where it belongs
        del sys.path[0]
    sys.argv = sys.argv[1:]
    if sys.argv[0] == "ipykernel_launcher":  # it read the variable when the parent imported it
        sys.argv.append(f"--IPKernelApp.parent_handle={os.getppid()}")
    _reseed()
    _read_settings_again()
    module, _, function = sys.argv[0].partition(":")
    if function:
        getattr(importlib.import_module(module), function)()
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _reseed() -> None:
    """Give numpy's global generator a seed of its own: all forks would continue the parent's."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _read_settings_again() -> None:
    """Let matplotlib read its settings again, which depend on the working directory and on variables."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None:
        return
    # ipykernel sets this variable, where nobody has, before a notebook can import matplotlib.
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    settings = matplotlib.rc_params()
    settings["backend"] = os.environ["MPLBACKEND"]  # before it is read, which would choose one
    matplotlib.rcParams.update(settings)


if __name__ == "__main__":
    main()
