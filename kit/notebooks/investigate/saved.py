"""The state that a saved notebook records of its own run: where it stopped, why, and what never ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from kit.report.printable import printable
from kit.typed import typed

BANNER_TAG = "papermill-error-cell-tag"
"""papermill takes the cells with this tag out before it runs a notebook again."""
RUN_BANNER_TAG = "kit-run"
NEVER_RAN_TAG = "never-ran"
UNFINISHED, NOT_RUN, FAULT = "Unfinished", "NotRun", "FaultOfTheKit"
REMEDIES = {
    "CellTimeLimit": "look at the cell, or raise --timeout-cell",
    "NotebookTimeLimit": "look at the slow cells, or raise --timeout-notebook",
    "TooMuchOutput": "print less in that cell, or raise --output-cell or --output-notebook",
    "KernelDied": "look at the cell; a kernel killed by SIGKILL may have had too little memory",
    "KernelNotStarted": "check that `python -m ipykernel_launcher --version` works in this environment",
    "NotebookLeft": "take the exit out of the cell",
    "CellSkipped": "take the tag, or the cell, out of the notebook",
    "LostError": "wait for the thread or task where it was started, so that its error is seen",
    "Interrupted": "run it again",
    UNFINISHED: "run it again",
    NOT_RUN: "correct the notebook",
    FAULT: "report it with the notebook; the other notebooks are not affected",
}
"""What can go wrong by the kit's own names, which no error of a cell has, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a run of a notebook got; saved in the notebook's metadata under `kit.run`.

    `stopped_at` is the label of the cell that did not finish, None if there is none. `error` names what went wrong and
    `reason` describes it; both are empty if nothing did. `seconds` is wall time, including the start of the kernel.
    `secrets_in` are labels of cells from whose outputs a password was removed.
    """

    cells: int
    ran: int
    seconds: float
    stopped_at: str | None = None
    error: str = ""
    reason: str = ""
    never_ran: tuple[str, ...] = ()
    lost_errors: tuple[str, ...] = ()
    still_running: tuple[str, ...] = ()
    secrets_in: tuple[str, ...] = ()

    @classmethod
    def of(cls, nb: Any) -> Outcome:
        """Read the outcome of an executed notebook. Raises KeyError if the kit's engine did not run it."""
        return typed(nb.metadata["kit"]["run"], cls)

    @property
    def sentence(self) -> str:
        """A sentence on what went wrong and where, empty if nothing did."""
        place = self.stopped_at or ""
        own = self.error in REMEDIES
        return ": ".join(part for part in (place, "" if own else self.error, self.reason) if part)


def code_cells(nb: Any) -> list[int]:
    """Return the positions of non-empty code cells."""
    return [index for index, cell in enumerate(nb.cells) if cell.cell_type == "code" and cell.source.strip()]


def label(nb: Any, index: int) -> str:
    """Label a code cell for a reader, by its number and id."""
    number = code_cells(nb).index(index) + 1
    return f"In [{number}] {nb.cells[index].get('id', '')}".strip()


def add_error(cell: Any, name: str, reason: str) -> None:
    """Add an error to the outputs of a cell, so that papermill and readers see that the notebook failed."""
    from nbformat.v4 import new_output

    traceback = [f"{name}: {reason}"]
    cell.outputs.append(new_output("error", ename=name, evalue=reason, traceback=traceback))  # type: ignore[no-untyped-call]


def join_streams(cell: Any) -> None:
    """Join consecutive pieces of text on the same stream, so that a secret cannot be split between them."""
    joined: list[Any] = []
    for output in cell.outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    cell.outputs = joined


def write_outcome(nb: Any, outcome: Outcome) -> None:
    """Store the outcome in the notebook's metadata; after an error, also in a banner cell at the top."""
    from nbformat.v4 import new_markdown_cell

    stored = nb.metadata.setdefault("kit", {})
    stored["run"] = msgspec.to_builtins(outcome)
    for index in code_cells(nb):
        tags = [tag for tag in nb.cells[index].metadata.get("tags", []) if tag != NEVER_RAN_TAG]
        if label(nb, index) in outcome.never_ran:
            tags.append(NEVER_RAN_TAG)
        if tags or "tags" in nb.cells[index].metadata:
            nb.cells[index].metadata["tags"] = tags
    if outcome.error:
        shown = {"tags": [BANNER_TAG, RUN_BANNER_TAG], "papermill": {"status": "completed"}}
        nb.cells.insert(0, new_markdown_cell(_banner(outcome), metadata=shown))  # type: ignore[no-untyped-call]


def _banner(outcome: Outcome) -> str:
    """The banner in Markdown. Foreign text is in code blocks, so that it cannot act as markup."""
    lines = [f"**This run is not complete.** {outcome.ran} of {outcome.cells} code cells came to their end."]
    if outcome.stopped_at:
        lines += ["", "Stopped at", *_verbatim(outcome.stopped_at), "by"]
    lines += ["", *_verbatim(": ".join(part for part in (outcome.error, outcome.reason) if part))]
    if outcome.never_ran:
        lines += ["", "Never ran:", *_verbatim("\n".join(outcome.never_ran))]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _verbatim(text: str) -> list[str]:
    """Return a text as an indented code block, which the text cannot terminate."""
    return ["", *(f"    {line}" for line in printable(text).splitlines() or [""]), ""]
