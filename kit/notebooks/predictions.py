"""Predictions: a question before its result, answered with a click, and the answer that its claim gives.

Where nobody is there to click, nothing is asked and nothing shown.
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
    """A question that the claim of the same id answers.

    `options` has for each answer, in the words in which a claim shows what was observed, why it is wrong where it is.
    `said` is the reader's; None as long as there is none.
    """

    id: str
    question: str
    options: Mapping[str, str]
    said: str | None = None
    shown: Any = field(default=None, repr=False)


_asked: dict[str, Prediction] = {}


def predict(id: str, question: str, options: Mapping[str, str]) -> None:
    """Ask what the claim `id` below will observe, with a button for each option; the claim answers.

    An option is what would be observed, in the words of the table of claims; its value is the rest of a sentence,
    "... because", which is said to who chose it where something else was observed. Raises NotebookError for fewer than
    two options, and for one without its sentence.
    """
    without = [option for option, why in options.items() if not (option and why)]
    if len(options) < 2 or without:
        raise NotebookError(
            f"The prediction {id!r} has {len(options)} options, {len(without)} of them without a reason",
            wanted="two or more, each with why it is wrong where it is", remedy="complete its options",
        )
    asked = Prediction(id, question, dict(options))
    _asked[id] = asked
    if attended():
        from IPython.display import display

        asked.shown = buttons(asked)
        display(asked.shown)  # type: ignore[no-untyped-call]


def answer(id: str, observed: str, trials: int) -> str:
    """What a claim says to the prediction of its id, in a sentence; empty where nobody has predicted anything.

    `observed` is in words, and what so many `trials` have in common.
    """
    asked = _asked.get(id)
    if asked is None or asked.said is None:
        return ""
    says = "the trial says" if trials == 1 else f"{trials} of {trials} trials say"
    if asked.said == observed:
        return f"You said {asked.said}, and {says} so."
    if observed not in asked.options:  # such as UNRESOLVED: then no reason of the options is one
        return f"You said {asked.said}; what was observed is {observed}."
    return f"You said {asked.said}; {says} {observed}, because {asked.options[asked.said].rstrip('.')}."


def buttons(asked: Prediction) -> Any:
    """The question with its buttons, as a widget. What is clicked last is what was said."""
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
    """A text with what stands in `backticks` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
