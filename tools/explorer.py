"""The explorer of a site: the board without a server, which replays the trials that a run has kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path

from kit.errors import EvidenceError
from kit.evidence.model import Evidence
from kit.evidence.verdict import isolation
from kit.notebooks.board.page import comparison_html, style, verdict_html
from kit.notebooks.board.result import Result
from kit.notebooks.board.settings import MECHANISM_BOXES, SELECTIONS, WAYS, clean
from kit.specimens.attempts import ATTEMPTS
from kit.specimens.mechanisms import MECHANISMS
from kit.specimens.trial import Trial
from kit.trials.cache import kept

SCRIPT = Path(__file__).with_name("site") / "explorer.js"
DATA = "explorer-data.js"
TIMES = re.compile(r' title="[\d,]+ ms after the start"')
COLOURS = re.compile(r"\.kit-drawing (\{ --kd-ink[^}]+\})")
PREDICTIONS = ("nothing", "HOLDS", "BROKEN")
FEWEST = 32  # trials, below which there is nothing to explore
TICKED = ("ci_variable", "global_engine")
LOOK = """\
<style>
#kit-explorer fieldset { border: 0; padding: 0; margin: .4rem 0; }
#kit-explorer legend { font-size: 1em; font-weight: 600; margin: 0; }
#kit-explorer .kb-all { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); }
#kit-explorer .kb-all p { margin: .2rem 1rem .2rem 0; }
html[data-theme="dark"] .kit-drawing {dark}
html[data-theme="light"] .kit-drawing {light}
</style>
"""
PAGE = """\
# The explorer

Tick what a theory blames, choose the attempt and the run, predict, and look. Nothing is run here: each result is one of
the {count} trials that the run {run} has kept. Any other combination runs on the board in JupyterLab (`make lab`).

```{{raw}} html
{style}
<form id="kit-explorer" class="kit-board kit-drawing">
<fieldset><legend>Mechanisms: what the theories blame</legend><div class="kb-all">{boxes}</div></fieldset>
<p><label>Attempt: the remedy in the conftest <select name="attempt">{attempts}</select></label></p>
<fieldset><legend>What is run</legend>{selections}</fieldset>
<fieldset><legend>Who starts it</legend>{ways}</fieldset>
<fieldset><legend>I predict</legend>{predictions}</fieldset>
<p><button type="submit">Show</button></p>
</form>
<div id="kit-explorer-result" class="kit-drawing kit-board" role="status" aria-live="polite"></div>
<script src="_static/{data}"></script>
<script src="_static/{script}"></script>
```
"""


def trials(found: Iterable[Evidence | EvidenceError]) -> dict[Trial, Evidence]:
    """The trials of mechanisms alone, on one stack, each once."""
    taken: dict[Trial, Evidence] = {}
    for one in found:
        if isinstance(one, Evidence) and one.trial is not None and set(one.trial.mechanisms) <= set(MECHANISMS):
            taken.setdefault(replace(one.trial, stack=Trial().stack), one)
    return taken


def key(trial: Trial) -> str:
    """The name of a trial in the data, as the script makes it."""
    return " ".join(("+".join(sorted(trial.mechanisms)), trial.attempt, trial.selection, trial.way))


def beside(trial: Trial, known: Mapping[Trial, Evidence]) -> Evidence | None:
    """The clean project, run in the same way; by hand where the script was not run with it: it only starts pytest."""
    return known.get(clean(trial)) or known.get(replace(clean(trial), way="by_hand"))


def data(known: Mapping[Trial, Evidence]) -> dict[str, object]:
    """What the script looks up: by trial its verdict and the number of its page; and the pages, each once."""
    pages: dict[str, int] = {}
    results = {}
    for trial, evidence in known.items():
        other = beside(trial, known)
        if other is not None:
            page = pages.setdefault(shown(Result(evidence, other)), len(pages))
            results[key(trial)] = {"verdict": isolation(evidence).verdict.value, "page": page}
    return {"results": results, "pages": list(pages)}


def shown(result: Result) -> str:
    """A result without its times and its name, so that trials which end alike share one page."""
    ruling = result.ruling
    verdict = f"<p>{verdict_html(ruling)}: {escape(ruling.reason)}.</p>"
    box = f'<div class="kb-verdict kb-{ruling.verdict.value}">{verdict}</div>'
    return box + TIMES.sub("", comparison_html(result))


def write(run: Path, static: Path) -> str | None:
    """Write data and script of the explorer, and return its page in Markdown; None where a run has too few trials."""
    try:
        known = trials(kept(run))
    except EvidenceError:
        return None
    if len(known) < FEWEST:
        return None
    text = json.dumps(data(known), separators=(",", ":")).replace("</", "<\\/")
    (static / DATA).write_text(f"window.KIT_EXPLORER = {text};\n", "utf-8")
    shutil.copyfile(SCRIPT, static / SCRIPT.name)
    return page(known, run.resolve().name)


def page(known: Mapping[Trial, Evidence], run: str) -> str:
    """The page: a form with what occurs in the trials."""
    ticked = {name for trial in known for name in trial.mechanisms}
    tried = {trial.attempt for trial in known}
    return PAGE.format(
        count=len(known), run=run, style=style() + look(), data=DATA, script=SCRIPT.name,
        boxes="".join(_box(box.name, box.title, box.says) for box in MECHANISM_BOXES if box.name in ticked),
        attempts="".join(_option(name, one.title, name == "dependency_override") for name, one in ATTEMPTS.items()
                         if name in tried),
        selections=_radios("selection", SELECTIONS, "suite"), ways=_radios("way", WAYS, "ci"),
        predictions=_radios("predicted", dict(zip(PREDICTIONS, PREDICTIONS, strict=True)), PREDICTIONS[0]),
    )


def look() -> str:
    """The style of the form; the board's colours follow the theme that a reader of the site has chosen."""
    light, dark = COLOURS.findall(style())[:2]
    return LOOK.replace("{light}", light).replace("{dark}", dark)


def _box(name: str, title: str, says: str) -> str:
    checked = " checked" if name in TICKED else ""
    return (
        f'<p><label><input type="checkbox" name="box" value="{name}"{checked}> <strong>{escape(title)}</strong></label>'
        f'<br><span class="kb-quiet">{escape(says)}</span></p>'
    )


def _option(name: str, title: str, selected: bool) -> str:
    return f'<option value="{name}"{" selected" if selected else ""}>{escape(title)}</option>'


def _radios(name: str, values: Mapping[str, str], first: str) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if value == first else ""}> '
        f"{escape(text)}</label> " for value, text in values.items()
    )
