"""Changes of variables: of the environment, and of the files that they are read from."""

from __future__ import annotations

from typing import Any, Callable

from ..own import json, os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..sealed import Seal
from .change import Change


def set_(change: Change) -> None:
    """The variable has a value from the start."""
    os.environ[change.fields["name"]] = change.fields["value"]
    change.took_hold()


def pin(change: Change) -> None:
    """The variable has a value throughout, whatever is written to it."""
    def writing(original: Any) -> Any:
        def __setitem__(environ: Any, name: Any, value: Any) -> None:
            if name == change.fields["name"]:
                change.took_hold()
                value = change.fields["value"]
            original(environ, name, value)
        return __setitem__

    change.hooks.replace(type(os.environ), "__setitem__", writing)


def unset(change: Change) -> None:
    """The variable is not there at the start."""
    if os.environ.pop(change.fields["name"], None) is not None:
        change.took_hold()


def hand_on(change: Change) -> None:
    """A process that is started gets the variable, if this one has it."""
    name, position = change.fields["name"], 10  # of `env` among Popen's arguments

    def starting(original: Any) -> Any:
        def __init__(child: Any, *args: Any, **kwargs: Any) -> None:
            given = kwargs.get("env") if len(args) <= position else args[position]
            if given is not None and name not in given and name in os.environ:
                change.took_hold()
                handed = {**given, name: os.environ[name]}
                if len(args) <= position:
                    kwargs["env"] = handed
                else:
                    args = (*args[:position], handed, *args[position + 1:])
            original(child, *args, **kwargs)
        return __init__

    change.hooks.when_imported(
        "subprocess", lambda module: change.hooks.replace(module.Popen, "__init__", starting)
    )


def remember(change: Change) -> None:
    """What variables of databases are set to is kept in a file, in full, and as evidence shows it; each line sealed."""
    from ..environ import names_a_database, names_a_mode, shown

    seal = Seal(change.fields["key"])

    def writing(original: Any) -> Any:
        def __setitem__(environ: Any, name: Any, value: Any) -> None:
            original(environ, name, value)
            if isinstance(name, str) and (names_a_database(name, value) or names_a_mode(name)):
                line = seal.sealed(json.dumps([name, value, shown(name, value)]))
                _append(change.fields["file"], f"{line}\n".encode())
        return __setitem__

    change.hooks.replace(type(os.environ), "__setitem__", writing)


def _append(path: str, line: bytes) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:  # the kit's own folder is gone: the program goes on
        return
    try:
        os.write(number, line)
    except OSError:  # or full
        return
    finally:
        os.close(number)


def no_dotenv(change: Change) -> None:
    """Files of variables, or one alone, do not hold these names."""
    names, only = set(change.fields["names"]), change.fields.get("file")

    def without(found: Any, file: Any) -> Any:
        if only is not None and (file is None or os.path.realpath(file) != os.path.realpath(only)):
            return found
        for name in list(found):
            if name.upper() in names:
                del found[name]
                change.took_hold()
        return found

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

    for module, owner, name, make in (
        ("dotenv.main", "DotEnv", "dict", reading_dotenv),
        ("starlette.config", "Config", "_read_file", reading_config),
        ("decouple", "RepositoryEnv", "__init__", making),
    ):
        change.hooks.when_imported(module, _replacing(change, owner, name, make))


def _replacing(
    change: Change, owner: str, name: str, make: Callable[[Any], Any]
) -> Callable[[Any], None]:
    return lambda module: change.hooks.replace(getattr(module, owner), name, make)
