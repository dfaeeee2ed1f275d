"""What holds a text is read without calling anything of the program's."""

from __future__ import annotations

from typing import Any

from kit.probes.settings.values import parts_of


def _called(*_: object) -> Any:
    raise AssertionError("it was called")


# As they lie in memory, which is by the names of slots: what was put over it last, its own mapping, its options.
Configuration = type(
    "Configuration", (), {
        "__module__": "dependency_injector.providers", "__slots__": ("a_over", "b_provides", "c_options"),
        "__call__": _called,
    }
)  # fmt: skip
Object = type("Object", (), {"__module__": "dependency_injector.providers", "__slots__": ("provides",)})
Factory = type("Factory", (), {"__module__": "dependency_injector.providers", "__slots__": (), "__call__": _called})


def configuration(over: object) -> Any:
    made: Any = Configuration()
    made.a_over, made.b_provides, made.c_options = over, {"db": {"url": "sqlite:///own.db"}}, {}
    return made


def held(thing: object) -> dict[str, Any]:
    return {part.suffix: (part.value, part.ask()) for part in parts_of(thing) or ()}


def test_a_configuration_is_read_and_not_called() -> None:
    """Its own mapping, or the one that was put over it last, also once that has changed."""
    own = configuration(None)
    assert held(own) == {".db.url": ("sqlite:///own.db", "sqlite:///own.db")}
    over: Any = Object()
    over.provides = {"db": {"url": "sqlite:///test.db"}}
    assert held(configuration(over)) == {".db.url": ("sqlite:///test.db", "sqlite:///test.db")}
    (part,) = parts_of(own) or ()
    own.a_over = over
    assert part.ask() == "sqlite:///test.db"


def test_a_provider_that_was_put_over_it_is_not_asked() -> None:
    """What a factory would give is the program's code: nothing is known of it."""
    assert held(configuration(Factory())) == {}
