"""Interventions on libpq's service files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Tuple

from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import WORKSPACE, File, Intervention, Rerun

_VARIABLE = "PGSERVICEFILE"


@dataclass(frozen=True)
class ServiceInstead(Intervention):
    """A service of a service file has other settings, in a copy of the file that PGSERVICEFILE names instead."""

    op = "service-instead"
    file: File
    service: str
    settings: Tuple[Tuple[str, str], ...] = field(repr=False)
    copy: str = f"{WORKSPACE}/pg_service.conf"

    @property
    def label(self) -> str:
        return f"with the service {self.service} of {self.file} naming another database"

    def apply(self, rerun: Rerun) -> None:
        own = os.path.realpath(self.file)
        with open(own, encoding="utf-8") as text, open(self.copy, "w", encoding="utf-8") as copy:
            copy.write(self._changed(text.read()))

        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                mine = name == _VARIABLE and isinstance(value, str) and os.path.realpath(value) == own
                original(environ, name, self.copy if mine else value)
            return __setitem__

        rerun.hooks.replace(type(os.environ), "__setitem__", writing)
        named = os.environ.get(_VARIABLE, os.path.join(os.path.expanduser("~"), ".pg_service.conf"))
        if os.path.realpath(named) == own:
            os.environ[_VARIABLE] = self.copy
        rerun.record_effect()

    def _changed(self, text: str) -> str:
        lines, within = [], False
        for line in text.splitlines():
            if line.strip().startswith("["):
                within = line.strip().startswith(f"[{self.service}]")
                lines.append(line)
                lines.extend(f"{name}={value}" for name, value in self.settings if within)
            elif not within or line.partition("=")[0].strip() not in dict(self.settings):
                lines.append(line)
        return "\n".join(lines) + "\n"
