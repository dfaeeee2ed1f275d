"""Passwords out of executed notebooks and of everything that is made from them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from kit.probes.redact import HIDDEN, redact

_SECRET_NAME = re.compile(r"(?i)password|passwd|secret|token|api_?key")
_URL = re.compile(r"[a-zA-Z][\w+.-]*://[^\s\"'<>]*@")
# What may well be an ordinary word is taken out of URLs only: taking `postgres` out of a text would spoil it.
_WORD = re.compile(r".{1,7}|[a-z]{1,11}", re.DOTALL)
_NO_TEXT = re.compile(r"image/(?!svg)|audio/|video/|application/pdf")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values that must not be seen. Knows every way in which HTML or a URL may spell them."""

    values: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, *environs: Mapping[str, str]) -> Secrets:
        """Collect the passwords of all URLs, and the values of all variables named like a secret."""
        found: set[str] = set()
        for name, value in (item for environ in environs for item in environ.items()):
            if "://" in value:
                found.add(_password(value))
            elif _SECRET_NAME.search(name):
                found.add(value)
        spelled = {way for value in found if value and not _WORD.fullmatch(value) for way in _spellings(value)}
        return cls(tuple(sorted(spelled, key=len, reverse=True)))

    def within(self, text: str) -> bool:
        """Tell whether one of the values is in `text`."""
        return any(value in text for value in self.values)

    def out_of(self, text: str) -> str:
        """Return `text` with every value, and every password in a URL, replaced."""
        for value in self.values:
            text = text.replace(value, HIDDEN)
        return _URL.sub(lambda url: redact(url.group()), text) if "://" in text else text

    def out_of_notebook(self, nb: Any) -> list[int]:
        """Replace them in a notebook, in place; return the positions of the cells whose outputs held one."""
        parameters = nb.metadata.get("papermill", {}).get("parameters", {})
        for name in parameters:
            if _SECRET_NAME.search(name):
                parameters[name] = HIDDEN
        _map_texts(nb.metadata, self.out_of)
        held = []
        for index, cell in enumerate(nb.cells):
            injected = "injected-parameters" in cell.metadata.get("tags", [])
            cell.source = self.out_of(redact(cell.source) if injected else self._verbatim(cell.source))
            _map_texts(cell.metadata, self.out_of)
            if self.out_of_outputs(cell):
                held.append(index)
        return held

    def out_of_outputs(self, cell: Any) -> bool:
        """Replace them in the outputs of a cell, in place; tell whether there were any."""
        return _map_texts(cell.get("outputs", []), self.out_of)

    def _verbatim(self, source: str) -> str:
        return source if not self.within(source) else self.out_of(source)


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:  # not a URL after all
        return ""


def _spellings(value: str) -> Iterable[str]:
    return {value, quote(value), quote(value, safe=""), html.escape(value), repr(value)[1:-1]}


def _map_texts(node: Any, change: Callable[[str], str]) -> bool:
    """Apply `change` to every text in nested dicts and lists, in place; tell whether any changed."""
    changed = False
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(key, str) and _NO_TEXT.match(key):
            continue
        if isinstance(value, str):
            new = change(value)
            if new != value:
                node[key] = new
                changed = True
        elif isinstance(value, (dict, list)):
            changed = _map_texts(value, change) or changed
    return changed
