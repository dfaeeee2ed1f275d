"""pydantic-settings copies the whole environment at once: which variables do its classes ask for, by name?"""

from __future__ import annotations

from typing import Any, Callable, Optional

from .hooks import Hooks
from .quiet import quietly

SETTINGS = "pydantic_settings"
Asked = Callable[[str, Optional[str], Optional[str]], None]  # name, value (None: it is not there), the default


def watch(hooks: Hooks, asked: Asked) -> None:
    """Tell of each variable that a class of settings looks for in the environment, not of those in files."""
    hooks.when_imported("pydantic_settings", lambda module: _watch(hooks, module, asked))


def _watch(hooks: Hooks, module: Any, asked: Asked) -> None:
    elsewhere = tuple(
        getattr(module, name) for name in ("DotEnvSettingsSource", "CliSettingsSource") if hasattr(module, name)
    )

    def looking(original: Any) -> Any:
        def _extract_field_info(source: Any, field: Any, *args: Any, **kwargs: Any) -> Any:
            looked_for = original(source, field, *args, **kwargs)
            if not isinstance(source, elsewhere):
                _tell(source, field, looked_for, asked)
            return looked_for
        return _extract_field_info

    hooks.replace(module.EnvSettingsSource, "_extract_field_info", looking)


@quietly
def _tell(source: Any, field: Any, looked_for: Any, asked: Asked) -> None:
    default = field.default if isinstance(field.default, str) else None
    for _, name, _ in looked_for:
        value = source.env_vars.get(name)
        asked(name, value, default)
        if value is not None:
            return
