"""What checks of each suspect say of a project in which it is guilty, and of the reported one, as a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.report.drawing import Drawing, macro

_CLEARS, _ACCUSES = "clears", "accuses"
_MARKS = {_CLEARS: "□", _ACCUSES: "■"}


@dataclass(frozen=True, slots=True)
class Tried:
    """A check, and what it says of a project in which its suspect is guilty, and of the reported one."""

    check: str
    guilty: str
    reported: str

    @property
    def is_blind(self) -> bool:
        """Whether it clears the guilty project, so that it cannot accuse."""
        return self.guilty == _CLEARS

    @property
    def accuses(self) -> bool:
        """Whether it accuses the reported project's suspect, and could have cleared it."""
        return (self.guilty, self.reported) == (_ACCUSES, _ACCUSES)

    @property
    def so(self) -> str:
        """What follows for the suspect in the reported project."""
        if self.is_blind:
            return "nothing: blind"
        said = {_CLEARS: "innocent", _ACCUSES: "guilty"}.get(self.reported)
        return said if said and self.guilty == _ACCUSES else "nothing: undecided"

    @property
    def cells(self) -> tuple[str, str]:
        """Both words, each with its mark."""
        return _marked(self.guilty), _marked(self.reported)


def suspects_drawing(found: Mapping[str, Mapping[str, Sequence[str]]]) -> Drawing:
    """Draw what checks say: {suspect: {check: (of its guilty project, of the reported one)}}.

    What is said is "clears" or "accuses"; anything else decides nothing. The first check of a suspect is the one under
    test.
    """
    tried = {name: [Tried(check, *said) for check, said in checks.items()] for name, checks in found.items()}
    words = "\n".join(
        f"{name}. {one.check}: the guilty project: {one.guilty}; the reported one: {one.reported}; follows: {one.so}."
        for name, checks in tried.items() for one in checks
    )
    title = _finding(tried)
    return Drawing(title, words, str(macro("suspects.html", "figure")(title, tried)).strip())


def _finding(tried: Mapping[str, Sequence[Tried]]) -> str:
    blind = [name for name, checks in tried.items() if checks and checks[0].is_blind]
    guilty = [name for name, checks in tried.items() if any(one.accuses for one in checks)]
    cleared = f"{len(blind)} of {len(tried)} checks clear a project in which their own suspect is guilty"
    named = f": {', '.join(blind)}" if blind else ""
    return f"{cleared}{named}. Guilty in the reported project: {', '.join(guilty) or 'none of them'}."


def _marked(said: str) -> str:
    return f"{_MARKS.get(said, '?')} {said}"
