"""Which lines of kit/ the tests reach, in every process that they start: a table, with the lines that none reaches.

A file that the interpreter reads as it starts (a .pth beside the libraries, there for the time of the run) begins the
measurement in each process of this environment, whatever variables it is given: commands, kernels, re-runs, traced
programs, parents of trials; and again in each fork. docs/reliability.md lists what cannot be measured so. A tracer is
on in every process, so that tests of what a program finds of its interpreter may fail here; this run does not judge
them, `make test-all` does. All arguments are pytest's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "coverage"
CONFIGURATION = """\
[run]
data_file = {build}/data
parallel = true
patch = _exit
disable_warnings = no-data-collected, module-not-measured, already-imported, module-not-imported
source = {kit}
omit =
    # It is the project under study, and stands for somebody else's.
    {kit}/specimens/project/*
    # Programs that are run with -I -S, so that no measurement begins in them; what is imported of them is their names.
    {kit}/pair/supervisor.py
    {kit}/trials/worker/stand_in.py
[report]
exclude_also =
    if TYPE_CHECKING:
[html]
directory = {build}/html
"""
# If coverage cannot start, the process runs unmeasured: a measurement must not decide a test's outcome.
START = """\
import os

def start():
    os.environ["COVERAGE_PROCESS_START"] = {configuration!r}
    try:
        import coverage
        if coverage.Coverage.current() is not None:
            coverage.Coverage.current().stop()
        coverage.process_startup(force=True)
    finally:
        del os.environ["COVERAGE_PROCESS_START"]

start()
os.register_at_fork(after_in_child=start)
"""


@contextmanager
def started_everywhere(configuration: Path) -> Iterator[None]:
    """Start the measurement in each process of this environment for the duration of the block."""
    libraries = Path(sysconfig.get_path("purelib"))
    module, hook = libraries / "_kit_coverage.py", libraries / "a2_kit_coverage.pth"
    try:
        module.write_text(START.format(configuration=str(configuration)))
        hook.write_text("import _kit_coverage\n")
        yield
    finally:
        hook.unlink(missing_ok=True)
        module.unlink(missing_ok=True)


def main() -> int:
    """Run the tests with pytest's arguments and show the table; return the exit code of the report."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    configuration = BUILD / "coverage.ini"
    configuration.write_text(CONFIGURATION.format(build=BUILD, kit=ROOT / "kit"))
    with started_everywhere(configuration):
        subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], cwd=ROOT, check=False)
    environ = {**os.environ, "COVERAGE_RCFILE": str(configuration)}
    for step in (["combine", "--quiet"], ["html", "--quiet"], ["report", "--show-missing", "--skip-covered"]):
        done = subprocess.run([sys.executable, "-m", "coverage", *step], cwd=ROOT, env=environ, check=False)
    print(f"Page by page: {BUILD}/html/index.html")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
