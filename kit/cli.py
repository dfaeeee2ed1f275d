"""The command `kit`: arguments to calls. What a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kit import __version__
from kit.errors import KitError

if TYPE_CHECKING:
    from kit.pair import Pair

PORT = click.IntRange(1, 65535)
REPORT_PORTS = (5432, 5433)
EXTERNAL = ("KIT_PRODUCTION_URL", "KIT_TEST_URL")
COULD_NOT_RUN = 2
INSTALL = 'pip install "fastapi-database-isolation-kit[notebooks]".'
_MESSAGE_AT_MOST = 20_000  # characters
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class Commands(click.Group):
    """A group of commands that tells a user's mistake, an interrupt and a fault of the kit apart."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with 2 when it could not do its work, with 130 when it was interrupted."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            _end("stopped", INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            # Never 1, by which a command says that it did its work and that a claim fell.
            _end(_reason(error), COULD_NOT_RUN)


def _reason(error: Exception) -> str:
    if isinstance(error, KitError):
        return " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and (error.name or "kit").split(".")[0] != "kit":
        return f"{error.name} is not installed. To do: {INSTALL}"
    import traceback

    return f"this is a fault of the kit itself\n{''.join(traceback.format_exception(error))}"


def _say(text: str, *, nl: bool = True) -> None:
    """Print what others may have written: it has no secret, and does nothing to a terminal."""
    from kit.probes.redact import redact
    from kit.report.printable import printable

    click.echo(printable(redact(text)), nl=nl)


def _end(message: str, code: int) -> NoReturn:
    from kit.probes.redact import learn, learn_all, redact, secrets_of_command
    from kit.report.printable import printable, shortened

    learn_all(os.environ)
    learn(*secrets_of_command(sys.argv))
    click.echo(shortened(printable(f"kit: {redact(message)}"), _MESSAGE_AT_MOST), err=True)
    sys.exit(code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a claim fell or no pair is up, 2 it could not run.",
)
@click.version_option(__version__, prog_name="kit")
def main() -> None:
    """Find out which database answered, who opened it, and what makes it stop."""


@main.command()
@click.option(
    "--compose", is_flag=True, help="Start the servers with Docker Compose instead of the kit's own binaries."
)
@click.option("--external", is_flag=True, help="Use the servers that KIT_PRODUCTION_URL and KIT_TEST_URL name.")
@click.option("--writable", is_flag=True, help="Let the kit write to the external servers.")
@click.option("--report-ports", is_flag=True, help="Take the report's ports: 5432 for production, 5433 for test.")
@click.option("--port-production", type=PORT, metavar="PORT", help="Default: a free one.")
@click.option("--port-test", type=PORT, metavar="PORT", help="Default: a free one.")
def up(compose: bool, external: bool, writable: bool, **ports: Any) -> None:
    """Start the pair of servers and leave it running."""
    from kit import pair

    if external and (compose or any(ports.values())):
        raise click.UsageError("External servers run already: leave out --compose and the ports.")
    if writable and not external:
        raise click.UsageError("--writable belongs to --external; the kit writes to the servers that it starts.")
    if external:
        found = pair.up("external", urls=_external_urls(), writable=writable)
    else:
        found = pair.up("compose" if compose else "embedded", _ports(**ports))
    _show(found)


def _external_urls() -> tuple[str, str]:
    # By the environment: what stands on a command line, every user of the machine can read.
    found = [os.environ.get(name) for name in EXTERNAL]
    if not all(found):
        raise click.UsageError(f"--external takes the servers' URLs from {' and '.join(EXTERNAL)}: set both.")
    production, test = (url or "" for url in found)
    return production, test


def _ports(report_ports: bool, port_production: int | None, port_test: int | None) -> tuple[int, int] | None:
    if report_ports:
        if port_production or port_test:
            raise click.UsageError("--report-ports stands for both ports; leave out --port-production and --port-test.")
        return REPORT_PORTS
    if port_production is None and port_test is None:
        return None
    if port_production is None or port_test is None or port_production == port_test:
        raise click.UsageError("Name two ports, --port-production and --port-test, or none.")
    return port_production, port_test


@main.command()
def down() -> None:
    """End the pair that `kit up` left running."""
    from kit import pair

    click.echo("The pair is down." if pair.down() else "No pair was up.")


@main.command()
@click.option("--export", is_flag=True, help="Print shell commands that set the URLs, passwords included.")
def status(export: bool) -> None:
    """Show the pair that is up; exit with 1 when none is."""
    from kit import pair

    found = pair.status()
    if found is None:
        click.echo("No pair is up. To start one: kit up", err=export)
        sys.exit(1)
    if export:
        for name, value in _variables(found).items():
            click.echo(f"export {name}={_quoted(value)}")
    else:
        _show(found)


def _variables(pair: Pair) -> Mapping[str, str]:
    """Return what the project under study reads when it is run by hand. The kit itself finds the pair without."""
    return {"PRODUCTION_DATABASE_URL": pair.production.url("asyncpg"), "TEST_DATABASE_URL": pair.test.url("asyncpg")}


def _quoted(value: str) -> str:
    import shlex

    return shlex.quote(value)


def _show(pair: Pair) -> None:
    click.echo(f"The pair is up ({pair.kind}).")
    for side in pair.sides:
        click.echo(
            f"  {side.name:<10}  {side.redacted}  {side.identity.cluster_name}  Postgres {side.identity.version}"
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
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Notebooks at a time. Default: one per processor."
)
@click.option(
    "--timeout-cell",
    "timeout_cell_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Seconds that a cell may take.",
)
@click.option(
    "--timeout-notebook",
    "timeout_notebook_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Seconds for a whole notebook.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where runs are kept. Default: runs"
)
@click.option("--stack", metavar="NAME", help="The versions under which trials run: current (default) or 2023-11.")
@click.option("--fresh", is_flag=True, help="Run each trial, though another notebook of this run has.")
def investigate(notebooks: tuple[str, ...], parameters: tuple[tuple[str, str], ...], **options: Any) -> None:
    """Run notebooks, all of them by default, and say which claims held.

    Exit codes: 0 every claim held, 1 a claim fell, 2 it could not run.
    """
    from kit.investigate import investigate as run

    given = {name: value for name, value in options.items() if value is not None}
    sys.exit(run(notebooks, parameters, **given).exit_code)


@main.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/latest"))
def verdict(run: Path) -> None:
    """Judge again the evidence that a run has kept, by today's rules, without running anything.

    RUN is a folder of `kit investigate`; runs/latest by default.
    """
    from kit.report.verdicts_text import lines
    from kit.sharing import kept

    for line in lines(kept(run)):
        _say(line)


def _about_a_command(function: Any) -> Any:
    """The options that trace and diagnose share."""
    options = [
        click.option(
            "--allow", multiple=True, metavar="DB",
            help="A database that tests may reach: host:port/name, a server's own identity, or a file. Wildcards work.",
        ),
        click.option(
            "--json", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the answer as JSON."
        ),
        click.option(
            "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it as a page."
        ),
        click.option(
            "--format", type=click.Choice(["text", "github"]), default="text", help="How to tell. Default: text"
        ),
        click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND ..."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@main.command()
@_about_a_command
def trace(command: tuple[str, ...], **options: Any) -> None:
    """Run your own tests, and say which database each one reached and who opened it.

    The command runs as it would without: its input, output and exit code are its own, and the answer goes to standard
    error. Without --allow every database is shown and none is judged. A command that cannot be started gives 127 where
    there is none, and 126 where it does not run.
    """
    from kit.trace import trace_and_tell

    sys.exit(trace_and_tell(command, **options))


@main.command()
@click.option("--dry-run", is_flag=True, help="Trace, list the runs that would follow, and make none of them.")
@click.option("--yes", is_flag=True, help="Let the further runs reach databases that are not allowed.")
@click.option(
    "--timeout-first", "timeout_first_s", type=click.FloatRange(0, min_open=True), default=3600.0, metavar="S",
    help="Seconds that the first run may take. Default: 3600",
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), metavar="S",
    help="Seconds that each further run may take. Default: three times the first.",
)
@_about_a_command
def diagnose(command: tuple[str, ...], **options: Any) -> None:
    """Trace your own tests, then prove by further runs what leads to the wrong database.

    The further runs change one thing each, in memory, and stop before anything is said to a database that is not
    allowed. Exit codes: 0 nothing is wrong, 1 the cause is proved, 2 it could not run, 3 it is not proved, or not all
    was seen.
    """
    from kit.diagnose import diagnose_and_tell

    sys.exit(diagnose_and_tell(command, **options))


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTERLAB_OPTION ...]")
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the notebooks, with the pair up."""
    from kit.lab import open_lab

    sys.exit(open_lab(arguments, os.environ))


@main.group()
def guard() -> None:
    """Keep tests from databases that are none of theirs (pytest's option --db-guard)."""


@guard.command()
@click.argument("project", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".")
@click.option(
    "--allow", multiple=True, metavar="DB", help="A database that tests may reach: host:port/name, a file, wildcards."
)
@click.option("--python", metavar="PATH", help="The interpreter of the project's tests. Default: its environment's.")
def init(project: Path, allow: tuple[str, ...], python: str | None) -> None:
    """Write the guard's few lines into a project's pytest configuration, and prove that they bite."""
    from kit.guard_init import init as set_up
    from kit.guard_proof import install_command

    done = set_up(project, allow, python)
    _say(done.diff or f"{done.config.name} turns the guard on already; nothing was written.", nl=not done.diff)
    tests = "1 test" if done.collected == 1 else f"{done.collected} tests"
    click.echo(f"Proved: pytest collects the same {tests} as before.")
    click.echo(f"Proved: planted tests that reach another database fail ({', '.join(done.stopped)}).")
    click.echo(f"Whoever runs these tests needs the kit beside them: {install_command()}")
