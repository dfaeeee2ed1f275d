"""Interventions on environment variables, and on the files that they are loaded from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Tuple

from ..own import json, os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..sealed import Seal
from .base import File, Intervention, Rerun


@dataclass(frozen=True)
class SetVariable(Intervention):
    """A variable has this value at the start; the program may change it."""

    op = "set"
    name: str
    value: str = field(repr=False)  # may contain a password

    @property
    def label(self) -> str:
        return f"with {self.name} set from the start"

    @property
    def start_variable(self) -> str:
        return self.name

    def apply(self, rerun: Rerun) -> None:
        os.environ[self.name] = self.value
        rerun.record_effect()


@dataclass(frozen=True)
class PinVariable(Intervention):
    """A variable has this value throughout, whatever is assigned to it."""

    op = "pin"
    name: str
    value: str = field(repr=False)

    @property
    def label(self) -> str:
        return f"with {self.name} kept at one value throughout"

    def apply(self, rerun: Rerun) -> None:
        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                if name == self.name:
                    rerun.record_effect()
                    value = self.value
                original(environ, name, value)
            return __setitem__

        rerun.hooks.replace(type(os.environ), "__setitem__", writing)


@dataclass(frozen=True)
class UnsetVariable(Intervention):
    """A variable is not set at the start."""

    op = "unset"
    from_outside = True
    name: str

    @property
    def label(self) -> str:
        return f"without the variable {self.name}"

    @property
    def start_variable(self) -> str:
        return self.name

    def apply(self, rerun: Rerun) -> None:
        if os.environ.pop(self.name, None) is not None:
            rerun.record_effect()


@dataclass(frozen=True)
class HandOnVariable(Intervention):
    """A child process with an `env` of its own gets a variable from this one, if it is set here."""

    op = "hand-on"
    name: str

    @property
    def label(self) -> str:
        return f"with {self.name} passed to processes that are started"

    def apply(self, rerun: Rerun) -> None:
        name, position = self.name, 10  # the index of `env` in Popen's arguments

        def starting(original: Any) -> Any:
            def __init__(child: Any, *args: Any, **kwargs: Any) -> None:
                given = kwargs.get("env") if len(args) <= position else args[position]
                if given is not None and name not in given and name in os.environ:
                    rerun.record_effect()
                    handed = {**given, name: os.environ[name]}
                    if len(args) <= position:
                        kwargs["env"] = handed
                    else:
                        args = (*args[:position], handed, *args[position + 1:])
                original(child, *args, **kwargs)
            return __init__

        rerun.hooks.when_imported(
            "subprocess", lambda module: rerun.hooks.replace(module.Popen, "__init__", starting)
        )


@dataclass(frozen=True)
class RememberVariables(Intervention):
    """Values assigned to database variables are written to a file, as they are and as in the evidence, encrypted."""

    op = "remember"
    file: File
    seal_key: str = field(repr=False)

    @property
    def label(self) -> str:
        return "with the values of database variables recorded"

    def apply(self, rerun: Rerun) -> None:
        from ..environ import names_a_database, names_a_mode, names_a_part, shown

        seal = Seal(self.seal_key)

        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                original(environ, name, value)
                if isinstance(name, str) and (
                    names_a_database(name, value) or names_a_mode(name) or names_a_part(name)
                ):
                    line = seal.sealed(json.dumps([name, value, shown(name, value)]))
                    _append(self.file, f"{line}\n".encode())
            return __setitem__

        rerun.hooks.replace(type(os.environ), "__setitem__", writing)


@dataclass(frozen=True)
class DropFromFiles(Intervention):
    """These names (in upper case) are removed from dotenv files, or from one of them."""

    op = "no-dotenv"
    names: Tuple[str, ...]
    file: File = ""

    @property
    def label(self) -> str:
        return f"without {' and '.join(self.names)} from {self.file or 'dotenv files'}"

    def apply(self, rerun: Rerun) -> None:
        def reading_dotenv(original: Any) -> Any:
            def read(dotenv: Any, *args: Any, **kwargs: Any) -> Any:
                return without(original(dotenv, *args, **kwargs), getattr(dotenv, "dotenv_path", None))
            return read

        def reading_config(original: Any) -> Any:
            def _read_file(config: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
                return without(original(config, file, *args, **kwargs), file)
            return _read_file

        def making(original: Any) -> Any:
            def __init__(repository: Any, source: Any, *args: Any, **kwargs: Any) -> None:
                original(repository, source, *args, **kwargs)
                without(repository.data, source)
            return __init__

        def without(found: Any, file: Any) -> Any:
            return self._without(rerun, found, file)

        for module, owner, name, make in (
            ("dotenv.main", "DotEnv", "dict", reading_dotenv),
            ("starlette.config", "Config", "_read_file", reading_config),
            ("decouple", "RepositoryEnv", "__init__", making),
        ):
            rerun.hooks.when_imported(module, _replacing(rerun, owner, name, make))

    def _without(self, rerun: Rerun, found: Any, file: Any) -> Any:
        if self.file and (file is None or os.path.realpath(file) != os.path.realpath(self.file)):
            return found
        for name in list(found):
            if name.upper() in self.names:
                del found[name]
                rerun.record_effect()
        return found


def _append(path: str, line: bytes) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:  # the kit's folder was removed: the program goes on
        return
    try:
        os.write(number, line)
    except OSError:  # or its disk is full
        return
    finally:
        os.close(number)


def _replacing(rerun: Rerun, owner: str, name: str, make: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda module: rerun.hooks.replace(getattr(module, owner), name, make)
