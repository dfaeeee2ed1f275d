"""The program of a kernel that is a fork: what it must not share with other forks is made anew, then IPython runs.

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


if __name__ == "__main__":
    main()
