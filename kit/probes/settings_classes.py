"""pydantic-settings and pydantic 1: which variables their classes look up, since both copy the whole environment.

Also recorded: a value that is assigned to a field later.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

from .hooks import Hooks, out_of_traceback
from .objects import attribute, is_a, text_of
from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly

SETTINGS = "pydantic_settings"
_OF_PYDANTIC_1 = ("pydantic.env_settings", "pydantic.v1.env_settings")  # on its own, and bundled with pydantic 2
OnRead = Callable[[str, Optional[str], Optional[str]], None]  # name, value (None: not set), the default
Assigned = Callable[[str, str], None]  # name, value


def watch(hooks: Hooks, asked: OnRead, assigned: Assigned) -> None:
    """Call `asked` for each variable that a settings class looks up in the environment (not in files).

    And `assigned` for each text assigned to a field, with the name of the field's variable.
    """
    hooks.when_imported("pydantic_settings", lambda module: _watch(hooks, module, asked, assigned))
    for name in _OF_PYDANTIC_1:
        hooks.when_imported(name, lambda module: _watch_pydantic_1(hooks, module, asked, assigned))


def _watch(hooks: Hooks, module: Any, asked: OnRead, assigned: Assigned) -> None:
    variables: Dict[Tuple[type, str], str] = {}  # (class, field) -> variable
    elsewhere = tuple(
        getattr(module, name) for name in ("DotEnvSettingsSource", "CliSettingsSource") if hasattr(module, name)
    )

    def looking(original: Any) -> Any:
        def _extract_field_info(source: Any, field: Any, field_name: str, *args: Any, **kwargs: Any) -> Any:
            looked_for = original(source, field, field_name, *args, **kwargs)
            if not isinstance(source, elsewhere):
                for _, name, _ in looked_for[:1]:
                    variables[source.settings_cls, field_name] = name
                _report_field(source, field, looked_for, asked)
            return looked_for
        return _extract_field_info

    hooks.replace(module.EnvSettingsSource, "_extract_field_info", looking)
    hooks.replace(module.BaseSettings, "__setattr__", _assigning(variables, assigned))


def _assigning(variables: Dict[Tuple[type, str], str], assigned: Assigned) -> Callable[[Any], Any]:
    def assigning(original: Any) -> Any:
        def __setattr__(settings: Any, name: str, value: Any) -> None:
            __tracebackhide__ = True
            try:
                original(settings, name, value)
            except BaseException as error:
                out_of_traceback(error)
                raise
            variable = variables.get((type(settings), name))
            if variable is not None and is_a(value, str):
                assigned(variable, str.__str__(value))
        return __setattr__
    return assigning


def _watch_pydantic_1(hooks: Hooks, module: Any, asked: OnRead, assigned: Assigned) -> None:
    variables: Dict[Tuple[type, str], str] = {}
    source = vars(module).get("EnvSettingsSource")  # pydantic 2 has an empty module of this name
    if source is None:
        return

    def looking(original: Any) -> Any:
        def __call__(source: Any, settings: Any) -> Any:
            found = original(source, settings)
            _report_pydantic_1(settings, variables, asked)
            return found
        return __call__

    hooks.replace(source, "__call__", looking)
    hooks.replace(module.BaseSettings, "__setattr__", _assigning(variables, assigned))


@quietly
def _report_pydantic_1(settings: Any, variables: Dict[Tuple[type, str], str], asked: OnRead) -> None:
    held: Any = os.environ._data  # type: ignore[attr-defined]  # reading os.environ itself would be recorded
    exactly = settings.__config__.case_sensitive
    values = {os.environ.decodekey(name): os.environ.decodevalue(value) for name, value in held.items()}
    values = values if exactly else {name.lower(): value for name, value in values.items()}
    for name, field in settings.__fields__.items():
        default = text_of(field.default)
        for variable in field.field_info.extra["env_names"]:
            variables.setdefault((type(settings), name), variable)
            asked(variable, values.get(variable), default)
            if variable in values:
                break


@quietly
def _report_field(source: Any, field: Any, looked_for: Any, asked: OnRead) -> None:
    if all(field is not own for own in source.settings_cls.model_fields.values()):
        return  # a field of an inner model: its variables were reported with the outer field
    names = [name for _, name, _ in looked_for]
    if any(_report_read(source, name, field.default, asked) for name in names):
        return
    delimiter = getattr(source, "env_nested_delimiter", None)
    for name in names if delimiter else ():
        _report_nested(source, f"{name}{delimiter}", field.annotation, field.default, asked)


def _report_nested(source: Any, prefix: str, model: Any, given: Any, asked: OnRead) -> None:
    """Report the variables for the fields of a nested model, such as DB__URL for `url` of `db`."""
    fields = getattr(model, "model_fields", None) if is_a(model, type) else None
    for inner, field in fields.items() if type(fields) is dict else ():
        default = attribute(given, inner, field.default)
        name = f"{prefix}{inner}"
        _report_read(source, name if source.case_sensitive else name.lower(), default, asked)
        _report_nested(source, f"{name}{source.env_nested_delimiter}", field.annotation, default, asked)


def _report_read(source: Any, name: str, default: Any, asked: OnRead) -> bool:
    value = source.env_vars.get(name)
    asked(name, value, text_of(default))
    return value is not None
