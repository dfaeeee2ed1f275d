"""A DataFrame as a reader takes it in: texts begin at the left, numbers end at the right, no text is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    from pandas.io.formats.style import Styler

_ROWS_AT_MOST = 500  # more than there are claims; pandas has its own way with more, and cuts


def html(frame: pandas.DataFrame) -> str:
    """The table of a frame, an empty cell for what is missing; one of several levels is as pandas shows it."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if max(frame.index.nlevels, frame.columns.nlevels) > 1 or len(frame) > _ROWS_AT_MOST:
        return str(frame._repr_html_())
    shown = frame.convert_dtypes()  # whole numbers stay whole where one of them is missing
    numbers = [
        number for number, dtype in enumerate(shown.dtypes, 2) if is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
    ]
    name = "-".join(["kit-frame", *map(str, numbers)])  # says which columns are numbers: the same name, the same rules
    table = shown.astype(object).where(shown.notna(), "").to_html(classes=name, border=0, justify="left")
    return f"<style>{_rules(name, numbers)}</style>\n{table}"


def plain(styled: Styler, printer: Any, cycle: bool) -> None:
    """Print the table of a styled frame as text, as IPython asks of what prints a type."""
    printer.text(styled.data.to_string())


def _rules(name: str, numbers: list[int]) -> str:
    rules = [f".{name} th, .{name} td {{ text-align: left !important; }}"]
    for number in numbers:
        cells = f".{name} tr > :nth-child({number})"
        rules.append(f"{cells} {{ text-align: right !important; font-variant-numeric: tabular-nums; }}")
    return " ".join(rules)
