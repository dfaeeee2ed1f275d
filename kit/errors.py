"""The errors that a user can meet.

    KitError                 the kit could not do what was asked; `kit` prints it in one line and exits with 2
    ├── PairError            the two servers are not available
    ├── StackError           an environment for trials could not be made
    ├── TrialError           a requested trial cannot be run
    ├── NotebookError        a notebook, or a parameter of it, cannot be used
    ├── ClassError           a class cannot be started, joined or found
    ├── TraceError           a command cannot be traced, or cannot be run again
    │   └── NotStarted       there is no such command, or it does not run here
    ├── GuardError           the guard cannot be set up in a project, or does not work
    └── EvidenceError        a record cannot be read
"""

from __future__ import annotations

TO_DO = "To do: "


class KitError(Exception):
    """An error in one line: what was found, what was wanted, what to do."""

    def __init__(self, found: str, *, wanted: str = "", remedy: str = "") -> None:
        self.found, self.wanted, self.remedy = found, wanted, remedy
        super().__init__(found, wanted, remedy)

    def __str__(self) -> str:
        sentences = [self.found]
        if self.wanted:
            sentences.append(f"Wanted: {self.wanted}")
        if self.remedy:
            sentences.append(f"{TO_DO}{self.remedy}")
        return " ".join(sentence.rstrip(".") + "." for sentence in sentences)


class PairError(KitError):
    """The two servers are not available."""


class StackError(KitError):
    """An environment for trials could not be made."""


class TrialError(KitError):
    """A requested trial cannot be run."""


class NotebookError(KitError):
    """A notebook, or a parameter of it, cannot be used."""


class ClassError(KitError):
    """A class cannot be started, joined or found."""


class TraceError(KitError):
    """A command cannot be traced, or cannot be run again."""


class NotStarted(TraceError):
    """The command does not exist or cannot be executed; `returncode` is the exit code that a shell would give."""

    def __init__(self, found: str, returncode: int, *, wanted: str = "", remedy: str = "") -> None:
        self.returncode = returncode
        super().__init__(found, wanted=wanted, remedy=remedy)


class GuardError(KitError):
    """The guard cannot be set up in a project, or does not work."""


class EvidenceError(KitError):
    """A record cannot be read."""
