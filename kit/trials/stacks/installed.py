"""The distributions in an environment, by their normalized names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_INSTALLERS = {"pip", "setuptools", "wheel"}


def everything(folders: Iterable[str]) -> dict[str, str]:
    """{name: version} of all distributions in these folders, without the installers."""
    found = {canonicalize_name(one.name): one.version for one in distributions(path=list(folders))}
    return {name: version for name, version in found.items() if name not in _INSTALLERS}


def required(lists: Iterable[Path], folders: Iterable[str]) -> dict[str, str]:
    """{name: version} of the requirements in these files and of what they require, as far as it is installed.

    `folders` are those of the running interpreter, by which environment markers are evaluated.
    """
    installed: dict[str, Distribution] = {}
    for distribution in distributions(path=list(folders)):
        installed.setdefault(canonicalize_name(distribution.name), distribution)
    wanted = [requirement for path in lists for requirement in _listed(path)]
    found: dict[tuple[str, str], str] = {}
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if name in installed and (name, extra) not in found:
                found[name, extra] = installed[name].version
                wanted += _requirements(installed[name], extra)
    return {name: version for (name, _), version in found.items()}


def _listed(path: Path) -> Iterator[Requirement]:
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield Requirement(line)


def _requirements(distribution: Distribution, extra: str) -> Iterator[Requirement]:
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement
