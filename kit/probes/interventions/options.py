"""Interventions on the options that a program was started with."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote, split
from typing import Any, Iterator, List

from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import File, Intervention, Rerun

_ADDOPTS = "PYTEST_ADDOPTS"


@dataclass(frozen=True)
class OwnConfiguration(Intervention):
    """pytest looks for its configuration file as it does without -c, which named `file`.

    The root folder stays as it was, because the ids of the tests depend on it.
    """

    op = "own-configuration"
    file: File
    given: str

    @property
    def label(self) -> str:
        return f"without {self.given}"

    def apply(self, rerun: Rerun) -> None:
        def determining(original: Any) -> Any:
            def determine_setup(*args: Any, **kwargs: Any) -> Any:
                found = original(*args, **kwargs)
                file = kwargs.get("inifile", args[0] if args else None)  # by its name since pytest 8
                if not file or os.path.realpath(file) != os.path.realpath(self.file):
                    return found
                rerun.record_effect()
                if "inifile" in kwargs:
                    kwargs["inifile"] = None
                else:
                    args = (None, *args[1:])
                return (found[0], *original(*args, **kwargs)[1:])
            return determine_setup

        rerun.hooks.when_imported(
            "_pytest.config", lambda config: rerun.hooks.replace(config, "determine_setup", determining)
        )


@dataclass(frozen=True)
class WithoutOption(Intervention):
    """A program is started without an option, in its arguments and in PYTEST_ADDOPTS.

    Of several options with this flag, those whose value begins with `begins` are left out.
    """

    op = "without-option"
    flag: str
    begins: str

    @property
    def label(self) -> str:
        return f"without {self.flag} {self.begins.rstrip('=')}".rstrip()

    def apply(self, rerun: Rerun) -> None:
        given = getattr(sys, "argv", [])
        left = [*given[:1], *self._left(given[1:])]
        if left != given:
            given[:] = left
            rerun.record_effect()
        text = os.environ.get(_ADDOPTS, "")
        try:
            words = split(text)
        except ValueError:  # pytest will say so
            return
        left = list(self._left(words))
        if left != words:
            os.environ[_ADDOPTS] = " ".join(map(quote, left))
            rerun.record_effect()

    def _left(self, words: List[str]) -> Iterator[str]:
        """The words without the option and its value."""
        skip = False
        for word, following in zip(words, [*words[1:], ""]):
            if skip:
                skip = False
            elif word == self.flag and following.startswith(self.begins):
                skip = True
            elif not self._holds_both(word):
                yield word

    def _holds_both(self, word: str) -> bool:
        joined = f"{self.flag}=" if self.flag.startswith("--") else self.flag
        return word != self.flag and word.startswith(joined + self.begins)
