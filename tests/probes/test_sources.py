"""The holders of a URL are those of the moment of the search, whatever was searched before."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from kit.probes import sources
from kit.probes.sources import holders

URL, OTHER = "postgresql://app:secret@db.internal:5432/shop", "postgresql://app:secret@db.internal:5432/test"
NAME = "a_module_of_this_test"

Load = Callable[[str], Any]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Import a text as a module of the application, in the place of the one before."""

    def _load(text: str) -> ModuleType:
        file = tmp_path / f"{NAME}.py"
        file.write_text(text)
        spec = importlib.util.spec_from_file_location(NAME, file)
        assert spec is not None
        sys.modules[NAME] = module = importlib.util.module_from_spec(spec)
        exec(compile(text, str(file), "exec"), module.__dict__)
        return module

    yield _load
    sys.modules.pop(NAME, None)


def held() -> set[str]:
    """What holds the URL, in the module of this test."""
    return {name.removeprefix(f"{NAME}.") for name in holders(URL) if name.startswith(f"{NAME}.")}


def test_every_kind_of_holder_is_found_again_and_again(load: Load) -> None:
    """Texts and URLs in globals' attributes, of classes and objects and caches, are found by each of two searches."""
    module = load(
        "from functools import lru_cache\n"
        "class Text(str): ...\n"
        "class Settings:\n"
        f"    default = {URL!r}\n"
        "    def __init__(self): self.url = self.default\n"
        f"class Slots: __slots__ = ('url',); shared = Text({URL!r})\n"
        f"url, text, number, listed = {URL!r}, Text({URL!r}), 1, [{URL!r}]\n"
        "settings, slots = Settings(), Slots()\n"
        "@lru_cache\n"
        "def get_settings(): return Settings()\n"
        "get_settings()\n"
    )
    module.settings.parsed, module.settings.plain = make_url(URL), object()
    expected = {
        "url", "text", "Settings.default", "Slots.shared", "slots.shared", "settings.default", "settings.url",
        "settings.parsed", "get_settings().default", "get_settings().url",
    }  # fmt: skip
    assert held() == expected
    assert held() == expected


def test_a_global_that_is_bound_anew_is_found(load: Load) -> None:
    """A global counts as long as it is bound to the URL, and whatever it was bound to before: text, class or object."""
    module = load(f"class Ours: url = {URL!r}\n")
    for before in (OTHER, 1, object, object(), SimpleNamespace(), make_url(OTHER)):
        module.place = before
        assert held() == {"Ours.url"}
        module.place = module.Ours
        assert held() == {"Ours.url", "place.url"}
        module.place = URL
        assert held() == {"Ours.url", "place"}
        del module.place
        assert held() == {"Ours.url"}


def test_an_attribute_that_changes_is_found(load: Load) -> None:
    """A settings object counts as long as it has the URL in its own attribute or its class's."""
    module = load(f"class Settings:\n    url = {OTHER!r}\nsettings = Settings()\n")
    assert held() == set()
    module.settings.url = URL
    assert held() == {"settings.url"}
    module.settings.url = OTHER
    assert held() == set()
    del module.settings.url
    module.Settings.url = URL
    assert held() == {"settings.url", "Settings.url"}
    module.settings.url = make_url(OTHER)
    assert held() == {"Settings.url"}
    module.settings.__dict__.update(other=make_url(URL))
    assert held() == {"Settings.url", "settings.other"}


def test_a_cache_that_is_filled_anew_is_found(load: Load) -> None:
    """A cache counts for what is in it now."""
    module = load(
        f"from functools import lru_cache\nurl = {OTHER!r}\n"
        "class Settings: ...\n"
        "@lru_cache\n"
        "def get(name):\n    made = Settings()\n    made.url = url\n    return made\n"
    )
    assert held() == set()
    module.get("a")
    assert held() == set()
    module.get.cache_clear()
    module.url = URL
    assert held() == {"url"}
    module.get("a")
    assert held() == {"url", "get().url"}
    module.get.cache_clear()
    assert held() == {"url"}


def test_a_module_in_the_place_of_another_is_found(load: Load) -> None:
    """A module of the same name counts, with as many modules as before; the other one no longer does."""
    load(f"url = {URL!r}\n")
    assert held() == {"url"}
    load(f"second = {URL!r}\n")
    assert held() == {"second"}
    load("nothing = 1\n")
    assert held() == set()


def test_a_class_at_the_address_of_a_librarys_is_looked_at(load: Load) -> None:
    """The application's class is searched, though a library's class that is gone was at its address."""
    module = load(f"def make():\n    class Ours: url = {URL!r}\n    return Ours\n")
    for _ in range(20):
        module.kind = type("Foreign", (), {"__module__": "pytest"})
        module.one = module.kind()
        assert held() == set()
        module.kind = module.one = None
        gc.collect()
        module.kind = module.make()
        module.one = module.kind()
        assert held() == {"kind.url", "one.url"}
        module.kind = module.one = None


def test_a_class_whose_module_comes_later_is_looked_at(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of a module that is not there yet is searched once it is."""
    module = load(f"class Early: url = {URL!r}\nEarly.__module__ = 'a_module_to_come'\nearly = Early()\n")
    assert held() == set()
    monkeypatch.setitem(sys.modules, "a_module_to_come", module)
    assert {"Early.url", "early.url"} <= held()


def test_what_is_certainly_none_is_passed_over(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second search looks into no object of a library."""
    module = load("value = 1\n")
    module.many = SimpleNamespace(url=URL)
    module.kind, module.cache = pytest.Item, lru_cache
    looked: list[Any] = []
    attributes = sources._attributes
    monkeypatch.setattr(sources, "_attributes", lambda holder: looked.append(holder) or attributes(holder))
    assert held() == set()
    assert module.kind in looked
    looked.clear()
    assert held() == set()
    assert module.kind not in looked
    assert module.many not in looked
