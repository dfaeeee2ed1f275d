"""The functions of a notebook: set-up, claims, expected errors, exercises.

They work in JupyterLab, in plain papermill and under `kit investigate`. Importing this module imports nothing heavy.

    ClaimFell (AssertionError)    a claim does not hold; a headless run fails
    └── NoError                   a block that must fail did not fail, or failed with another error
"""

from __future__ import annotations

import atexit
import html
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from kit.errors import NotebookError
from kit.evidence.verdict import Ruling, Verdict, agreed
from kit.notebooks.checks import Check, Checked, State, judged
from kit.notebooks.frontend import Tell, progress_shown
from kit.notebooks.frontend import shell as _shell
from kit.notebooks.predictions import answer, is_right, predict
from kit.notebooks.seat import join, recorder
from kit.report.frames import scrolled
from kit.report.words import words

if TYPE_CHECKING:
    from kit.evidence.model import Evidence
    from kit.pair import Pair
    from kit.specimens.trial import Trial

Key = TypeVar("Key")

CLAIM_MIME = "application/vnd.kit.claim+json"
EXERCISE_MIME = "application/vnd.kit.exercise+json"
STACK_VARIABLE = "KIT_STACK"
TRIAL_TIMEOUT_S = 60.0
# Behind the text, which keeps its page's colour and so is legible on any page.
GOOD, BAD = "background:rgba(46,160,67,.2)", "background:rgba(229,72,77,.2)"
_SAID = {
    State.DONE: f'<b style="{GOOD}">✔ {{state}}</b>',
    State.NOT_STARTED: "{state}",
    State.WRONG: f'<b style="{BAD}">✘ {{state}}</b>',
    State.CANNOT: "<b>? {state}</b>",
}
ORDER = "Is a cell above not run yet? Run the first two code cells first, then the others from top to bottom."
SHOWN_VERSIONS = ("fastapi", "sqlalchemy", "asyncpg", "httpx", "pytest")

__all__ = [
    "CLAIM_MIME",
    "EXERCISE_MIME",
    "Claim",
    "ClaimFell",
    "NoError",
    "Session",
    "claim",
    "exercise",
    "expect_error",
    "predict",
    "start",
    "table",
    "words",
]


class ClaimFell(AssertionError):
    """A claim does not hold."""

    def _render_traceback_(self) -> list[str]:
        # A fallen claim is not a fault of the code above it, and a traceback would only hide the sentence.
        return [f"{type(self).__name__}: {self}"]


class NoError(ClaimFell):
    """A block that must fail did not fail, or failed with another error."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, the expected and the observed value, and whether they agree.

    `expected` and `observed` are JSON values. `trials` is the number of observations, `seconds` the time that cells ran
    since the previous claim. `reason` is the ruling's, for display.
    """

    id: str
    claim: str
    expected: Any
    observed: Any
    held: bool
    trials: int
    seconds: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of a claim that are saved."""
        return {name: value for name, value in asdict(self).items() if name != "reason"}

    def __str__(self) -> str:
        mark = "held" if self.held else "FELL"
        because = f" ({self.reason})" if self.reason else ""
        return f"{mark}  {self.id}: {self.claim} | expected {self.expected} | observed {self.observed}{because}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {CLAIM_MIME: self.to_json(), "text/html": _table_html([self]), "text/plain": str(self)}


class Session:
    """What `start` set up: `seed`, `pair` (None for a notebook without one), `stack`, and the claims so far.

    As the value of a cell it displays the table of claims, if there are any.
    """

    def __init__(self, seed: int | None, pair: Pair | None, timeout_s: float = TRIAL_TIMEOUT_S) -> None:
        self.seed = seed
        self.pair = pair
        self.timeout_s = timeout_s
        self.stack = os.environ.get(STACK_VARIABLE, "current")
        self.clock = _Clock()
        self._claims: dict[str, Claim] = {}

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims, ordered by when they were first made."""
        return tuple(self._claims.values())

    def run(self, trials: Iterable[Trial]) -> tuple[Evidence, ...]:
        """Run trials on this notebook's pair and stack; return their evidence in the same order.

        Trials that take longer than a second show their progress, if the notebook is attended.
        """
        wanted = [replace(trial, stack=self.stack) for trial in trials]
        with progress_shown() as tell:
            found = {evidence.trial: evidence for evidence in self.each(wanted, tell)}
        return tuple(found[trial] for trial in wanted)

    def each(self, trials: Iterable[Trial], progress: Tell | None = None) -> Iterator[Evidence]:
        """Run trials as `run` does; yield each one's evidence when it completes. Closing ends the remaining trials."""
        from kit.trials.runner import run_all

        if self.pair is None:
            raise NotebookError("This notebook was started without a pair", remedy="leave `pair=False` out of start()")
        wanted = [replace(trial, stack=self.stack) for trial in trials]
        return run_all(wanted, self.pair, timeout_s=self.timeout_s, progress=progress)

    def run_each(self, groups: Mapping[Key, Iterable[Trial]]) -> dict[Key, tuple[Evidence, ...]]:
        """Run the trials of several groups in parallel; return each group's evidence under its key."""
        wanted = {key: tuple(trials) for key, trials in groups.items()}
        found = iter(self.run(trial for trials in wanted.values() for trial in trials))
        return {key: tuple(next(found) for _ in trials) for key, trials in wanted.items()}

    def call(self, function: Callable[..., Any], *arguments: Any, uses: Iterable[Callable[..., Any]] = ()) -> Any:
        """Run a function of this notebook with the packages of its stack instead of this kernel's.

        Its source runs in a new interpreter, together with the functions that it `uses`. Arguments and result must be
        JSON values. Raises TrialError when it fails there.
        """
        from kit.trials.stacks import stack
        from kit.trials.stacks.calling import call
        from kit.trials.workspace import base_environ

        used = stack(self.stack)
        return call(
            used, function, arguments, uses=uses, environ=base_environ(str(used.python)), timeout_s=self.timeout_s
        )

    def note(self, made: Claim) -> None:
        """Add a claim to the table; a cell that is run again replaces its own."""
        self._claims[made.id] = made

    def _ipython_display_(self) -> None:
        if self._claims:
            _show(_Table(self.claims))


_session: Session | None = None
_closing = ExitStack()


def start(seed: int | None = None, *, pair: bool = True, timeout_s: float = TRIAL_TIMEOUT_S) -> Session:
    """Set up a notebook and print the seed, the versions, and a line for each server.

    The pair is that of `kit investigate` or `kit up`, else a new one for the life of the kernel; none with
    `pair=False`. `seed` seeds `random`; None leaves it alone. `timeout_s` applies to each trial. Raises PairError when
    no pair can be opened.
    """
    global _session
    opened = _session.pair if _session is not None and _session.pair is not None else None
    if pair and opened is None:
        opened = _open_pair()
    if seed is not None:
        random.seed(seed)
    _session = Session(seed, opened if pair else None, timeout_s)
    if _shell() is not None:
        _show_frames_as_read()
    print("\n".join(_set_up_lines(_session)))
    join()
    return _session


def claim(
    id: str, sentence: str, *, expected: Any, observed: Any, trials: int | None = None
) -> None:
    """Display and record a claim. Raises ClaimFell unless the observation equals the expectation.

    A list of observations, one per trial, holds if each equals the expectation; if they differ from each other, the
    observation is UNRESOLVED. `trials` defaults to the length of the list, else 1.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", id):
        raise NotebookError(
            f"A claim's id is {id!r}", wanted="lower-case letters, digits, dots and hyphens", remedy="rename the claim",
        )
    session = _session or _bare_session()
    seen, counted, reason = _settled(expected, observed)
    held = _same(expected, seen)
    made = Claim(
        id, sentence, _plain(expected), _plain(seen), held, counted if trials is None else trials,
        session.clock.lap_s(), reason,
    )  # fmt: skip
    session.note(made)
    _show(made)
    if said := answer(id, words(made.observed), made.trials, together=trials is not None):
        _show(_Answer(said))
    if (right := is_right(id, words(made.observed))) is not None:
        recorder.prediction(id, right)
    if not made.held:
        because = f" ({reason})" if reason else ""
        raise ClaimFell(f"{id}: {sentence} Expected {made.expected}, observed {made.observed}{because}.")


def table() -> _Table:
    """Return the table of claims (expectation | observation | outcome), to be displayed as the value of a cell."""
    return _Table(_session.claims if _session is not None else ())


class expect_error:
    """A block that must raise `error` with a message that matches the regular expression `match`.

    The error is printed in one line, and the notebook goes on. If the block raises nothing or another error, NoError is
    raised, and recorded as a claim that fell.
    """

    def __init__(self, error: type[BaseException], *, match: str | None = None) -> None:
        self._error, self._match = error, match

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> Literal[True]:
        wanted = self._error.__name__ + (f" with {self._match!r} in its message" if self._match else "")
        if isinstance(error, self._error) and re.search(self._match or "", str(error)):
            print(f"{type(error).__name__}, as it must be: {error}")
            return True
        if error is not None and not isinstance(error, Exception):
            raise error
        seen = "no error" if error is None else f"{type(error).__name__}: {error}"
        self._fell(wanted, seen)
        raise NoError(f"This block must raise {wanted}. Observed: {seen}.") from error

    @staticmethod
    def _fell(wanted: str, seen: str) -> None:
        session = _session or _bare_session()
        made = Claim("expected-error", f"The block raises {wanted}.", wanted, seen, False, 1, session.clock.lap_s())
        session.note(made)
        _show(made)


class exercise:
    """The check of an exercise: shows done, not started, wrong, or cannot be checked, with a hint. It never raises.

    The block gets a `kit.notebooks.checks.Check`; an `assert` in the block is also a check, with its message as the
    hint.
    """

    def __init__(self, id: str) -> None:
        self._id = id

    def __enter__(self) -> Check:
        return Check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        made = _Checked(self._id, judged(error))
        _show(made)
        recorder.exercise(self._id, made.checked.state.value)
        return True


@dataclass(frozen=True, slots=True)
class _Checked:
    id: str
    checked: Checked

    def __str__(self) -> str:
        hint = f": {self.checked.hint}" if self.checked.hint else ""
        return f"Exercise {self.id}: {self.checked.state}{hint}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        state, hint = self.checked.state, self.checked.hint
        said = _SAID[state].format(state=state)
        after = f": {html.escape(hint)}" if hint else ""
        shown = f'<div style="padding:0 .4em">Exercise <code>{html.escape(self.id)}</code>: {said}{after}</div>'
        data = {"id": self.id, "done": state is State.DONE, "state": state.value, "hint": hint}
        return {EXERCISE_MIME: data, "text/html": shown, "text/plain": str(self)}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a claim says to who has predicted it."""

    said: str

    def __str__(self) -> str:
        return self.said

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = f'<div role="status" style="padding:.2em .4em"><b>Your prediction.</b> {html.escape(self.said)}</div>'
        return {"text/html": shown, "text/plain": str(self)}


@dataclass(frozen=True, slots=True)
class _Table:
    claims: tuple[Claim, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.claims)) or "No claim has been made yet."

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/html": _table_html(self.claims), "text/plain": str(self)}


@dataclass(slots=True)
class _Clock:
    """Adds up the time in which cells run, so that time spent reading a notebook does not count."""

    began: float = field(default_factory=time.monotonic)
    busy_s: float = 0.0

    def __post_init__(self) -> None:
        shell = _shell()
        if shell is not None:
            shell.events.register("pre_run_cell", self._cell_begins)
            shell.events.register("post_run_cell", self._cell_ends)

    def _cell_begins(self, *_: Any) -> None:
        self.began = time.monotonic()

    def _cell_ends(self, *_: Any) -> None:
        self.busy_s += time.monotonic() - self.began

    def lap_s(self) -> float:
        """Return the seconds since the last lap, and start a new one."""
        now = time.monotonic()
        lap = self.busy_s + now - self.began
        self.busy_s, self.began = 0.0, now
        return round(lap, 3)


def _show_frames_as_read() -> None:
    import pandas

    from kit.report import frames

    # pandas cuts a text in a table after 50 characters, which hides the informative part of a message.
    pandas.set_option("display.max_colwidth", None)
    formatters = _shell().display_formatter.formatters
    formatters["text/html"].for_type(pandas.DataFrame, frames.html)
    # The default text of a styled table is an address that differs each time.
    formatters["text/html"].for_type_by_name("pandas.io.formats.style", "Styler", frames.styled)
    formatters["text/plain"].for_type_by_name("pandas.io.formats.style", "Styler", frames.plain)


def _bare_session() -> Session:
    global _session
    _session = Session(None, None)
    return _session


def _open_pair() -> Pair:
    from kit.pair import open_pair
    from kit.pair.connect import libpq_variables
    from kit.trials import fork_server

    pair = _closing.enter_context(open_pair())
    fork_server.expect_trials()
    atexit.register(_closing.close)
    # Later requests for a pair in this kernel must find this one instead of opening another.
    for name in libpq_variables():  # they are about other servers and would affect each connection to these
        del os.environ[name]
    os.environ.update(pair.environ())
    return pair


def _set_up_lines(session: Session) -> Iterator[str]:
    from importlib.metadata import version
    from platform import python_version

    from kit import __version__

    parts = [f"seed {session.seed}"] if session.seed is not None else []
    parts += [f"kit {__version__}", f"Python {python_version()}"]
    yield " · ".join([*parts, *(f"{name} {version(name)}" for name in SHOWN_VERSIONS)])
    for side in session.pair.sides if session.pair else ():
        who = side.identity
        yield (
            f"{side.name}: {who.database} at port {who.port} · "
            f"Postgres {who.version}, server {who.system_identifier}"
        )


def _settled(expected: Any, observed: Any) -> tuple[Any, int, str]:
    """Return what was observed over all trials, the number of trials, and the ruling's reason."""
    if isinstance(observed, Ruling):
        return observed.verdict, 1, observed.reason
    if not isinstance(observed, list | tuple) or isinstance(expected, list | tuple):
        return observed, 1, ""
    if observed and all(isinstance(one, Ruling) for one in observed):
        ruling = agreed(observed)
        return ruling.verdict, len(observed), ruling.reason
    if not observed:
        return Verdict.UNRESOLVED, 0, "no trial was run"
    if all(_same(observed[0], one) for one in observed):
        return observed[0], len(observed), ""
    counts = Counter(str(_plain(one)) for one in observed)
    return Verdict.UNRESOLVED, len(observed), ", ".join(f"{value} in {count}" for value, count in counts.items())


def _same(expected: Any, observed: Any) -> bool:
    try:
        return bool(expected == observed)
    except ValueError as error:  # arrays and tables compare element by element
        raise NotebookError(
            f"A claim compares a {type(expected).__name__} with a {type(observed).__name__}, which has no yes or no",
            remedy="compare single values, or lists of them",
        ) from error


def _plain(value: Any) -> Any:
    """Convert a value for JSON: numbers, strings and None stay, containers are converted recursively, others to str."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(part) for part in value), key=str)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(part) for part in value]
    if hasattr(value, "item"):  # a numpy number
        return _plain(value.item())
    return str(value)


def _table_html(claims: Sequence[Claim]) -> str:
    columns = ("claim", "expectation", "observation", "outcome")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in columns)
    return scrolled(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row_html, claims))}</tbody></table>")


def _row_html(made: Claim) -> str:
    def cell(text: Any) -> str:
        return f'<td style="text-align:left">{html.escape(str(text))}</td>'

    outcome = "✔ held" if made.held else "✘ fell"
    style = GOOD if made.held else BAD
    kind = "kit-held" if made.held else "kit-fell"
    observed = f"{words(made.observed)}: {made.reason}" if made.reason else words(made.observed)
    decided = f'<b class="{kind}" style="{style};white-space:nowrap">{outcome}</b>'
    return (
        f"<tr>{cell(made.claim)}{cell(words(made.expected))}{cell(observed)}"
        f'<td style="text-align:left">{decided}</td></tr>'
    )


def _show(value: Any) -> None:
    if _shell() is None:
        print(value)
        return
    from IPython.display import display

    display(value)  # type: ignore[no-untyped-call]


def _say_what_order(result: Any) -> None:
    """After a cell that failed with a NameError, suggest that a cell above was not run."""
    if isinstance(getattr(result, "error_in_exec", None), NameError):
        print(ORDER)


if _shell() is not None:
    # At import, because the importing cell itself may lack the parameters.
    _shell().events.register("post_run_cell", _say_what_order)
