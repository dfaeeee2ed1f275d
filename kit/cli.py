"""The command line. Each command imports its dependencies when it runs, so that help appears at once."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from kit import __version__, processes
from kit.errors import KitError

if TYPE_CHECKING:
    from kit.notebooks.classroom.commands import Found
    from kit.pair import Pair

PORT = click.IntRange(1, 65535)
REPORT_PORTS = (5432, 5433)
EXTERNAL = ("KIT_PRODUCTION_URL", "KIT_TEST_URL")
COULD_NOT_RUN = 2
MEGABYTE = 1_000_000
INSTALL = 'pip install "fastapi-database-isolation-kit[notebooks]".'
_MESSAGE_AT_MOST = 20_000  # characters
INTERRUPTED = 130  # the exit code that a shell gives a program that Ctrl-C ended

Function = TypeVar("Function", bound=Callable[..., Any])


class Ended(KeyboardInterrupt):
    """A signal that asks the process to end; running code cleans up as for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Finite(click.FloatRange):
    """A range of numbers without `nan` and `inf`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the number. Raises a usage error when it is not finite or not in the range."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _above_0(flag: str, name: str, unit: str, text: str, **more: Any) -> Callable[[Function], Function]:
    """An option that takes a finite number above 0."""
    return click.option(flag, name, type=Finite(0, min_open=True), metavar=unit, help=text, **more)


class Commands(click.Group):
    """A group of commands that distinguishes a user's mistake, an interrupt and a fault of the kit."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Exits with 2 when the command could not do its work, with 130 after Ctrl-C, and with 128 plus its number after
        another signal.
        """
        _open_closed_streams()
        try:
            with _signals_that_end():
                try:
                    return super().invoke(ctx)
                finally:
                    _flush_output()
        except Ended as ended:
            _exit_with(f"ended by {ended}", 128 + ended.number)
        except (KeyboardInterrupt, click.Abort):
            _exit_with("stopped", INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            # Never 1, the exit code of a command that did its work and found that a claim fell.
            _exit_with(_reason(error), COULD_NOT_RUN)


def _signals_that_end() -> AbstractContextManager[None]:
    """Make SIGTERM and SIGHUP end a command as Ctrl-C does, from its first step to its last.

    A handler set by the calling program stays; a command that needs another handler sets it later.
    """

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(number)

    return processes.signal_handlers(processes.unless_handled(end))


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that is closed.

    Otherwise the next opened file, a lock or a server's log, would get the stream's descriptor and with it all output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number, and is not inherited by child processes


class OutputError(KitError):
    """Standard output cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"cannot write to standard output: {error.strerror}",
            remedy="check where it is redirected to; apart from this, the command did its work",
        )


def _flush_output() -> None:
    """Flush standard output. Raises OutputError when that fails, and discards the rest of the output."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python fails again when it exits
        raise OutputError(error) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KitError):
        return " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and (error.name or "kit").split(".")[0] != "kit":
        return f"{error.name} is not installed. To do: {INSTALL}"
    import traceback

    return f"this is a fault of the kit itself\n{''.join(traceback.format_exception(error))}"


def _print_clean(text: str, *, nl: bool = True) -> None:
    """Print text of unknown origin without secrets and control characters."""
    from kit.probes.redact import redact
    from kit.report.printable import printable

    _print(printable(redact(text)), nl=nl)


def _print(text: str, *, err: bool = False, nl: bool = True) -> None:
    try:
        click.echo(text, err=err, nl=nl)
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as error:
        raise OutputError(error) from error


def _exit_with(message: str, code: int) -> NoReturn:
    from kit.probes.redact import learn, learn_all, redact, secrets_of_command
    from kit.report.printable import printable, shortened

    learn_all(os.environ)
    learn(*secrets_of_command(sys.argv))
    try:
        click.echo(shortened(printable(f"kit: {redact(message)}"), _MESSAGE_AT_MOST), err=True)
    except OSError:  # only the exit code can report it now, and Python would change it at its last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.exit(code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a claim fell or no pair is up, 2 it could not run.",
)
@click.version_option(__version__, prog_name="kit")
def main() -> None:
    """Find out which database your tests reached, what opened it, and which change stops it."""


@main.command()
@click.option(
    "--compose", is_flag=True, help="Start the servers with Docker Compose instead of the kit's own binaries."
)
@click.option("--external", is_flag=True, help="Use the servers that KIT_PRODUCTION_URL and KIT_TEST_URL name.")
@click.option("--writable", is_flag=True, help="Let the kit write to the external servers.")
@click.option("--report-ports", is_flag=True, help="Use the report's ports: 5432 for production, 5433 for test.")
@click.option("--port-production", type=PORT, metavar="PORT", help="Default: a free one.")
@click.option("--port-test", type=PORT, metavar="PORT", help="Default: a free one.")
def up(compose: bool, external: bool, writable: bool, **ports: Any) -> None:
    """Start the pair of servers and leave it running."""
    from kit import pair

    if external and (compose or any(ports.values())):
        raise click.UsageError("External servers are already running: leave out --compose and the ports.")
    if writable and not external:
        raise click.UsageError("--writable belongs to --external; the kit writes to the servers that it starts.")
    if external:
        found = pair.up("external", urls=_external_urls(), writable=writable)
    else:
        found = pair.up("compose" if compose else "embedded", _ports(**ports))
    _show(found)


def _external_urls() -> tuple[str, str]:
    # From the environment, because every user of the machine can read a command line.
    found = [os.environ.get(name) for name in EXTERNAL]
    if not all(found):
        raise click.UsageError(f"--external takes the servers' URLs from {' and '.join(EXTERNAL)}: set both.")
    production, test = (url or "" for url in found)
    return production, test


def _ports(report_ports: bool, port_production: int | None, port_test: int | None) -> tuple[int, int] | None:
    if report_ports:
        if port_production or port_test:
            raise click.UsageError("--report-ports sets both ports: leave out --port-production and --port-test.")
        return REPORT_PORTS
    if port_production is None and port_test is None:
        return None
    if port_production is None or port_test is None or port_production == port_test:
        raise click.UsageError("Name two ports, --port-production and --port-test, or none.")
    return port_production, port_test


@main.command()
def down() -> None:
    """Stop the pair that `kit up` left running."""
    from kit import pair

    _print("The pair is down." if pair.down() else "No pair was up.")


@main.command()
@click.option("--export", is_flag=True, help="Print shell commands that set the URLs, passwords included.")
def status(export: bool) -> None:
    """Show the pair that is running; exit with 1 if none is."""
    from kit import pair

    # In a seat of a class the environment names the seat's own.
    found = pair.pair_in_use() if os.environ.get(pair.OWNER_VARIABLE) else pair.status()
    if found is None:
        _print("No pair is up. To start one: kit up", err=export)
        sys.exit(1)
    if export:
        for name, value in _variables(found).items():
            _print(f"export {name}={_quoted(value)}")
    else:
        _show(found)


def _variables(pair: Pair) -> Mapping[str, str]:
    """Return the variables that the project under study reads when run by hand. The kit itself does not need them."""
    return {"PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"), "TEST_DATABASE_URL": pair.test.url("asyncpg")}


def _quoted(value: str) -> str:
    import shlex

    return shlex.quote(value)


def _show(pair: Pair) -> None:
    from kit.pair import description

    _print(description(pair))
    for side in pair.sides:
        _print(
            f"  {side.name:<10}  {side.redacted}  {side.identity.cluster_name}  Postgres {side.identity.version}"
        )


_EXECUTOR = click.option(
    "--executor", metavar="dask://HOST:PORT", help="Run the notebooks on the workers of this Dask scheduler's cluster."
)


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK ...]")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Set a parameter of the notebooks.",
)
@click.option(
    "-f", "--parameters-file", "files", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
    help="Set parameters by a YAML file.",
)
@click.option("-y", "--parameters-yaml", "texts", multiple=True, metavar="YAML", help="Set parameters by YAML.")
@click.option("-b", "--parameters-base64", "encoded", multiple=True, metavar="TEXT", help="The same in base64.")
@click.option("--help-notebook", is_flag=True, help="List the parameters of the notebooks, and run none.")
@click.option(
    "--cwd", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Where the notebooks run. Default: the folder of each.",
)
@click.option("--log-output", is_flag=True, help="Print what the cells print, as they run.")
@click.option("--no-servers", is_flag=True, help="Start no servers, for notebooks that need none.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Notebooks at a time. Default: one per processor."
)
@_above_0("--timeout-cell", "timeout_cell_s", "S", "Seconds that a cell may take.")
@_above_0("--timeout-notebook", "timeout_notebook_s", "S", "Seconds for a whole notebook.")
@_above_0("--output-cell", "output_cell_mb", "MB", "How much output a cell may write. Default: 10")
@_above_0("--output-notebook", "output_notebook_mb", "MB", "How much output a whole notebook may write. Default: 50")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Folder for runs. Default: runs"
)
@click.option(
    "--stack", metavar="NAME", help="The versions to run trials with: current (default), 2023-11, 2024-07 or 2025-06."
)
@click.option("--fresh", is_flag=True, help="Run each trial, even if another notebook of this run has run it.")
@_EXECUTOR
def investigate(
    notebooks: tuple[str, ...],
    parameters: tuple[tuple[str, str], ...],
    files: tuple[Path, ...],
    texts: tuple[str, ...],
    encoded: tuple[str, ...],
    help_notebook: bool,
    no_servers: bool,
    **options: Any,
) -> None:
    """Run the notebooks and show which claims held.

    Without NOTEBOOK all of them are run. A parameter given by -p wins over -y, that over -f, and that over -b.

    Exit codes: 0 every claim held, 1 a claim fell, 2 it could not run.
    """
    from kit.notebooks.investigate import investigate as run
    from kit.notebooks.investigate.parameter_files import described, from_yaml
    from kit.notebooks.investigate.parameters import pairs

    if help_notebook:
        _print_clean(described(map(Path, notebooks)))
        return
    if options["log_output"]:
        _print_what_cells_print()
    values = from_yaml(files, texts, encoded) | pairs(parameters)
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("output_cell", "output_notebook"):
        if f"{name}_mb" in given:
            given[f"{name}_bytes"] = max(1, int(given.pop(f"{name}_mb") * MEGABYTE))
    sys.exit(run(notebooks, values, with_pair=not no_servers, **given).exit_code)


def _print_what_cells_print() -> None:
    """Have papermill's logger print to standard error, as papermill's own command does."""
    import logging

    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("papermill")
    logger.addHandler(shown)
    logger.setLevel(logging.INFO)


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK ...]")
@click.option(
    "--stacks", metavar="NAME,NAME", help="The stacks to compare, the oldest first. Default: all that there are."
)
@click.option(
    "-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="NAME VALUE",
    help="Set a parameter of the notebooks.",
)
@click.option("--no-servers", is_flag=True, help="Start no servers, for notebooks that need none.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Notebooks at a time. Default: one per processor."
)
@_above_0("--timeout-cell", "timeout_cell_s", "S", "Seconds that a cell may take.")
@_above_0("--timeout-notebook", "timeout_notebook_s", "S", "Seconds for a whole notebook.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Folder for runs. Default: runs"
)
@click.option(
    "--json", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the comparison as JSON, too."
)
@_EXECUTOR
def matrix(
    notebooks: tuple[str, ...],
    stacks: str | None,
    parameters: tuple[tuple[str, str], ...],
    no_servers: bool,
    **options: Any,
) -> None:
    """Run the notebooks under several sets of versions.

    Such a set is a stack. The table shows which claim changed between which two, and what differs between these.

    A stack is installed when it is first used. Without NOTEBOOK all of them are run.

    Exit codes: 0 every claim held, 1 a claim fell, 2 it could not run.
    """
    from kit.notebooks.investigate.parameters import pairs
    from kit.notebooks.matrix import matrix as run

    given = {name: value for name, value in options.items() if value is not None}
    if stacks is not None:
        given["stacks"] = [name.strip() for name in stacks.split(",") if name.strip()]
    sys.exit(run(notebooks, pairs(parameters), with_pair=not no_servers, **given).exit_code)


@main.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/latest"))
def verdict(run: Path) -> None:
    """Judge the evidence of a past run again, by the current rules.

    Nothing is run. RUN is a folder of `kit investigate`; runs/latest by default. Exits with 2 if some of the evidence
    cannot be read.
    """
    from kit.report.verdicts_text import lines
    from kit.trials.cache import kept

    found = tuple(kept(run))
    for line in lines(found):
        _print_clean(line)
    if any(isinstance(one, KitError) for one in found):
        sys.exit(COULD_NOT_RUN)


def _command_options(function: Any) -> Any:
    """The options that trace and diagnose share."""
    options = [
        click.option(
            "--allow", multiple=True, metavar="DB",
            help="A database that tests may reach: host:port/name, a server's own identity, or a file. Wildcards are "
            "allowed.",
        ),
        click.option(
            "--stop", is_flag=True,
            help="Refuse each connection to a database that --allow does not name, before its first statement.",
        ),
        click.option(
            "--allow-driver", multiple=True, metavar="NAME",
            help="A driver without a probe, or a native client, that may connect anywhere in guarded runs.",
        ),
        click.option(
            "--json", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the answer as JSON."
        ),
        click.option(
            "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write the answer as an HTML page.",
        ),
        click.option(
            "--format", type=click.Choice(["text", "github"]), default="text",
            help="The format of the answer. Default: text",
        ),
        click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND ..."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@main.command()
@_command_options
def trace(command: tuple[str, ...], **options: Any) -> None:
    """Run your tests and show which database each one reached.

    The command runs as it would without the kit: its input, output and exit code are its own, and the answer goes to
    standard error. Without --allow every database is shown and none is judged. Without --stop the tests connect
    wherever they are configured to; with it, a connection off the allow-list is refused, and the answer names the test
    that requested it. The exit code is 127 if the command is not found, and 126 if it cannot be run.
    """
    from kit.tracing import trace_and_report

    sys.exit(trace_and_report(command, **options))


@main.command()
@click.option("--dry-run", is_flag=True, help="Trace, list the re-runs that would follow, and run none of them.")
@click.option("--yes", is_flag=True, help="Let re-runs reach databases off the allow-list.")
@_above_0(
    "--timeout-first", "timeout_first_s", "S", "Seconds that the first run may take. Default: 3600", default=3600.0
)
@_above_0("--timeout", "timeout_s", "S", "Seconds that each re-run may take. Default: three times the first.")
@_above_0(
    "--budget", "budget_min", "MINUTES", "Minutes for all runs; what is known by then is reported. Default: no limit."
)
@click.option("--fresh", is_flag=True, help="Run everything again, instead of resuming a diagnosis that was stopped.")
@click.option(
    "--test", "tests", multiple=True, metavar="ID",
    help="Find the other test, the state and the line on which this test depends; of a file, class or function with "
    "several tests, on which the first that failed depend.",
)
@_command_options
def diagnose(command: tuple[str, ...], **options: Any) -> None:
    """Prove by re-runs why your tests reach the wrong database.

    The first run is a trace: it connects wherever the tests are configured to, unless --stop is given. Each re-run
    changes one thing, in memory, and refuses every connection off the allow-list before its first statement. What the
    runs write to allowed databases, and to files of the project, is restored between them, so nothing else should
    write there meanwhile.

    Exit codes: 0 nothing is wrong, 1 the cause is proved, 2 it could not run, 3 it is not proved, or not everything
    was seen.
    """
    from kit.diagnosing import diagnose_and_report

    sys.exit(diagnose_and_report(command, **options))


@main.command()
@click.argument("kind", required=False, metavar="[KIND]")
def explain(kind: str | None) -> None:
    """Explain a kind of finding, or list all of them.

    Shows what the kind is, how it happens, an example, how it is proved and what to do.
    """
    from kit.detectors.registry import KINDS
    from kit.report.kinds_text import explained, listed

    if kind is None:
        _print_clean(listed(KINDS), nl=False)
        return
    found = next((one for one in KINDS if one.name == kind), None)
    if found is None:
        near = get_close_matches(kind, [one.name for one in KINDS])
        to_do = f"did you mean {' or '.join(near)}?" if near else "kit explain lists all kinds."
        raise click.UsageError(f"There is no kind of finding called {kind}: {to_do}")
    _print_clean(explained(found), nl=False)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--start-over", multiple=True, metavar="NOTEBOOK", help="Replace your copy of this notebook, or all, by a new one."
)
@click.option("--in-place", is_flag=True, help="Open the notebooks themselves, not copies of them.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTERLAB_OPTION ...]")
def lab(arguments: tuple[str, ...], start_over: tuple[str, ...], in_place: bool) -> None:
    """Open JupyterLab on copies of the notebooks, with a pair up.

    The copies are in the folder work and stay there. A copy that you have edited is replaced only by --start-over, and
    kept in work/replaced then.
    """
    from kit.notebooks.lab import open_lab

    sys.exit(open_lab(arguments, os.environ, start_over=start_over, in_place=in_place))


@main.command()
@click.option("--student", "audience", flag_value="student", help="Without solutions, and with the answers folded.")
@click.option("--teacher", "audience", flag_value="teacher", help="With every exercise solved.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def edition(audience: str | None, folder: Path) -> None:
    """Write the notebooks for a class into a folder.

    DIR is new or empty. The kit's own notebooks stay as they are.
    """
    if audience is None:
        raise click.UsageError("Say for whom: --student or --teacher.")
    from kit.notebooks.editions import Edition, write
    from kit.notebooks.originals import originals

    made = write(Edition(audience), folder, originals())
    _print_clean(f"{len(made)} notebooks are in {folder}.")


@main.group("class")
def class_() -> None:
    """Run a class with a seat for each participant."""


@class_.command("start")
@click.option("--seats", type=click.IntRange(1, 200), required=True, metavar="N", help="How many seats.")
@click.option(
    "--port", type=PORT, metavar="PORT", help="The port of the first seat; the others follow. Default: free ones."
)
@click.option("--resume", is_flag=True, help="Go on with the seats in DIR; their notebooks stay as they are.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def class_start(folder: Path, seats: int, port: int | None, resume: bool) -> None:
    """Start a class on this machine, and show its table until it ends.

    Each seat has a folder in DIR with a student's edition of the notebooks, two servers, and a JupyterLab on 127.0.0.1,
    which the printed link opens. kit class stop or Ctrl-C ends all of it; the notebooks stay.
    """
    from kit.notebooks.classroom.running import run

    def say(line: str) -> None:
        _print(line)
        _flush_output()

    run(folder, seats, first_port=port, resume=resume, say=say)


_CLASS = click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), required=False, metavar="[DIR]"
)


@class_.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the ids of what each seat has solved.")
@click.option("--watch", is_flag=True, help="Show the table until Ctrl-C, and read it again every two seconds.")
@click.option("--links", is_flag=True, help="Print the links to the seats, with their tokens, instead of the table.")
@_CLASS
def class_status(folder: Path | None, as_json: bool, watch: bool, links: bool) -> None:
    """Show what each seat has solved; exit with 1 without a class.

    With DIR, the class in this folder, also one that participants have joined from accounts of their own.
    """
    from kit.notebooks.classroom import commands, state

    if as_json + watch + links > 1:
        raise click.UsageError("Choose one of --json, --watch and --links.")
    found = commands.find(folder)
    if found is None or (links and found.running is None):
        _print("No class is running. To start one: kit class start --seats N DIR", err=as_json)
        sys.exit(1)
    if watch:
        commands.watch(folder)
    elif links and found.running is not None:
        for line in state.links(found.running.seats):
            _print(line)
    else:
        _show_class(found, as_json)


def _show_class(found: Found, as_json: bool) -> None:
    if as_json:
        import json

        _print(json.dumps(found.as_json(), indent=1))
    else:
        for line in found.lines():
            _print_clean(line)


@class_.command("stop")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the ids of what each seat has solved.")
@_CLASS
def class_stop(folder: Path | None, as_json: bool) -> None:
    """End the class, and print what each seat has solved.

    The records of the seats are removed, and the notebooks stay. With DIR, the class in this folder.
    """
    from kit.notebooks.classroom import commands

    found = commands.find(folder)
    if found is None:
        _print("No class was running.", err=as_json)
        return
    commands.stop(found)
    _show_class(found, as_json)


@class_.command("join")
@click.argument("shared", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="class", metavar="[NOTEBOOKS]")
def class_join(shared: Path, folder: Path) -> None:
    """Take a seat from an account of your own, as on a JupyterHub.

    DIR is a folder that the teacher shares; only the record of your seat is written there. The notebooks are written
    into NOTEBOOKS, by default the folder class, for the JupyterLab that you have. kit down ends your servers.
    """
    from kit.notebooks.classroom.commands import join

    _show(join(shared, folder, _print)[1])


@main.group()
def guard() -> None:
    """Stop tests that connect to a database off the allow-list.

    This is pytest's option --db-guard.
    """


@guard.command()
@click.argument("project", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".")
@click.option(
    "--allow", multiple=True, metavar="DB", help="A database that tests may reach: host:port/name, a file, wildcards."
)
@click.option("--python", metavar="PATH", help="The interpreter of the project's tests. Default: its environment's.")
def init(project: Path, allow: tuple[str, ...], python: str | None) -> None:
    """Turn the guard on in a project, and prove that it works.

    Writes a few lines into the project's pytest configuration.
    """
    from kit.guard.init import init as set_up
    from kit.guard.proof import install_command

    done = set_up(project, allow, python)
    _print_clean(done.diff or f"{done.config.name} already turns the guard on; nothing was written.", nl=not done.diff)
    tests = "1 test" if done.collected == 1 else f"{done.collected} tests"
    _print(f"Proved: pytest collects the same {tests} as before.")
    _print(f"Proved: planted tests that reach another database fail ({', '.join(done.stopped)}).")
    _print(f"The environment of these tests needs the kit: {install_command()}")
