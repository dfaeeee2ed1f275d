"""Predictions: a question before a result, answered by a click, and judged by the claim with the same id.

Without a user who can click, nothing is displayed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from kit.errors import NotebookError
from kit.notebooks.frontend import attended


@dataclass(slots=True)
class Prediction:
    """A question that the claim with the same id answers.

    `options` has for each possible observation, worded as in the table of claims, the reason why it is wrong (if it
    is). `said` is the user's choice, None until there is one.
    """

    id: str
    question: str
    options: Mapping[str, str]
    said: str | None = None
    shown: Any = field(default=None, repr=False)


_predictions: dict[str, Prediction] = {}


def predict(id: str, question: str, options: Mapping[str, str]) -> None:
    """Ask what the claim `id` below will observe, with a button for each option.

    An option is a possible observation, worded as in the table of claims. Its value is the rest of a sentence after
    "because", shown to a user who chose it if the observation differs. Raises NotebookError for fewer than two options,
    or an option without its reason.
    """
    without = [option for option, why in options.items() if not (option and why)]
    if len(options) < 2 or without:
        raise NotebookError(
            f"The prediction {id!r} has {len(options)} options, {len(without)} of them without a reason",
            wanted="two or more, each with why it is wrong where it is", remedy="complete its options",
        )
    asked = Prediction(id, question, dict(options))
    _predictions[id] = asked
    if attended():
        from IPython.display import display

        asked.shown = buttons(asked)
        display(asked.shown)  # type: ignore[no-untyped-call]


def answer(id: str, observed: str, trials: int, *, together: bool = False) -> str:
    """The claim's reply to the prediction with its id, as a sentence; empty if the user predicted nothing.

    `observed` is the observation in words: of each of `trials` trials or, if `together`, of all of them taken together,
    as the role of a mechanism, which no single trial shows.
    """
    asked = _predictions.get(id)
    if asked is None or asked.said is None:
        return ""
    several = f"the {trials} trials together say" if together else f"{trials} of {trials} trials say"
    says = "the trial says" if trials == 1 else several
    if is_observed(asked.said, observed):
        return f"You said {asked.said}, and {says} so."
    # UNRESOLVED, for one, is explained by none of the reasons.
    if not any(is_observed(option, observed) for option in asked.options):
        return f"You said {asked.said}; what was observed is {observed}."
    return f"You said {asked.said}; {says} {observed}, because {asked.options[asked.said].rstrip('.')}."


def is_right(id: str, observed: str) -> bool | None:
    """Whether the user predicted what was observed; None without a prediction, or if no option is what was observed."""
    asked = _predictions.get(id)
    if asked is None or asked.said is None or not any(is_observed(option, observed) for option in asked.options):
        return None
    return is_observed(asked.said, observed)


def is_observed(option: str, observed: str) -> bool:
    """Whether an option is what was observed. The parts of a mapping, as `pool: innocent`, may be in any order."""
    is_mapping = all(": " in part for part in observed.split(", "))
    return option == observed or (is_mapping and sorted(option.split(", ")) == sorted(observed.split(", ")))


def buttons(asked: Prediction) -> Any:
    """The question and its buttons as a widget. The last click counts."""
    from ipywidgets import HTML, Box, Button, Layout, VBox

    said = HTML()

    def choose(clicked: Any) -> None:
        asked.said = clicked.option
        for button in row:
            chosen = button.option == asked.said
            button.description = f"{'● ' if chosen else ''}{button.option}"
            button.button_style = "primary" if chosen else ""
        said.value = f'<span role="alert">You say {escape(clicked.option)}. Run on: the claim below answers.</span>'

    row = []
    for option in asked.options:
        button = Button(description=option, layout=Layout(width="auto", height="auto", min_height="32px"))
        button.option = option
        button.on_click(choose)
        row.append(button)
    answers = Box(row, layout=Layout(flex_flow="row wrap"))
    return VBox([HTML(f"<b>Predict.</b> {_marked_up(asked.question)}"), answers, said])


def _marked_up(text: str) -> str:
    """Convert `backticks` to code elements and *stars* to emphasis."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))
