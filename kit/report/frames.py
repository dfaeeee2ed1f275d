"""A DataFrame as HTML with left-aligned text, right-aligned numbers, and no truncation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    from pandas.io.formats.style import Styler

_NEW_LINE = "\u2028"  # a character that ends a line, and that pandas leaves alone
_ROWS_AT_MOST = 500  # more than the number of claims; pandas itself truncates larger tables


def html(frame: pandas.DataFrame) -> str:
    """The HTML table of a frame with empty cells for missing values; multi-level frames as pandas shows them."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if max(frame.index.nlevels, frame.columns.nlevels) > 1 or len(frame) > _ROWS_AT_MOST:
        return scrolled(str(frame._repr_html_()))
    shown = frame.convert_dtypes()  # keeps integers as integers if some are missing
    numbers = [
        number for number, dtype in enumerate(shown.dtypes, 2) if is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
    ]
    # The class name encodes which columns are numbers, so equal names have equal rules.
    name = "-".join(["kit-frame", *map(str, numbers)])
    values = shown.astype(object).where(shown.notna(), "").map(_marked).astype(object)
    table = values.to_html(classes=name, border=0, justify="left").replace(_NEW_LINE, "<br>")
    return f"<style>{_rules(name, numbers)}</style>\n{scrolled(table)}"


def _marked(value: object) -> object:
    """A text with a mark at the end of each line, since pandas writes an escaped n there."""
    return value.replace("\n", _NEW_LINE) if isinstance(value, str) else value


def styled(frame: Styler) -> str:
    """The HTML table of a styled frame."""
    return scrolled(str(frame._repr_html_()))


def scrolled(table: str) -> str:
    """The table in a place that scrolls sideways where it is too narrow, and is reached by the Tab key."""
    return f'<div style="overflow-x:auto" role="group" aria-label="Table" tabindex="0">{table}</div>'


def plain(styled: Styler, printer: Any, cycle: bool) -> None:
    """Print a styled frame as text; the signature is that of an IPython formatter."""
    printer.text(styled.data.to_string())


def _rules(name: str, numbers: list[int]) -> str:
    rules = [f".{name} th, .{name} td {{ text-align: left !important; }}"]
    for number in numbers:
        cells = f".{name} tr > :nth-child({number})"
        rules.append(f"{cells} {{ text-align: right !important; font-variant-numeric: tabular-nums; }}")
    return " ".join(rules)
