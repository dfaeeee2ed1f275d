"""Check that a notebook shows what it is about, even when its claims follow changed parameters.

A notebook's metadata can list claims that it must show with their values, and the parameters that deliberately switch
the effect off, each with the value that leaves it on:

    "kit": {"shows": {"claims": {"sites-seen": 731}, "on": {"ci_variable": true}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.notebooks.cells import Claim, words
from kit.notebooks.investigate import parameters

ID = "shows-what-it-is-about"


def lost(nb: Any, decided: Sequence[Claim]) -> Claim | None:
    """Return a fallen claim if an executed notebook does not show what it must; None if it does.

    If a parameter given for this run switches the effect off, the difference is intended.
    """
    wanted = _shows(nb).get("claims", {})
    observed = {claim.id: claim.observed for claim in decided}
    seen = {id: observed.get(id, "no such claim") for id in wanted}
    if seen == wanted or _switched(nb):
        return None
    on = _shows(nb).get("on", {})
    saved = [
        f"{one.name} = {one.default}" for one in parameters.declared(nb).values()
        if one.name in on and one.default != repr(on[one.name])
    ]
    sentence = "With its own parameters the notebook shows its effect."
    reason = f"its parameters cell has {', '.join(saved)}" if saved else ""
    return Claim(ID, sentence, dict(wanted), seen, False, 1, 0.0, reason)


def remedy(fallen: Claim, name: str) -> str:
    """Return what to do about a claim from `lost`, for the notebook `name`."""
    because = f"{fallen.reason}: " if fallen.reason else ""
    return (
        f"{because}put {name}.ipynb back as it was (git diff shows what has changed), or give the parameter by -p to "
        "leave the effect out on purpose"
    )


def left_out(nb: Any, decided: Sequence[Claim]) -> str:
    """Return a remark on a run that deliberately did not show what the notebook is about; else ""."""
    wanted = _shows(nb).get("claims", {})
    observed = {claim.id: claim.observed for claim in decided}
    if not wanted or {id: observed.get(id) for id in wanted} == wanted or not _switched(nb):
        return ""
    given = ", ".join(f"{name} = {value}" for name, value in _switched(nb).items())
    return f"The effect was switched off by parameters ({given}). By itself the notebook shows {words(wanted)}."


def _shows(nb: Any) -> Mapping[str, Any]:
    return dict(nb.metadata.get("kit", {}).get("shows", {}))


def _switched(nb: Any) -> dict[str, Any]:
    given = nb.metadata.get("papermill", {}).get("parameters", {})
    return {name: given[name] for name, on in _shows(nb).get("on", {}).items() if given.get(name, on) != on}
