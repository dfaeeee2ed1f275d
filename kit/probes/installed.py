"""All probes of one process, installed and removed together."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Optional

from . import quiet
from .app_use import AppProbe
from .audit import AuditProbe
from .children import STARTED_IN, Children, Listening, as_here
from .context import CURRENT
from .coverage_use import CoverageProbe
from .databases import Databases
from .drivers import DriverProbe
from .environ import EnvironmentProbe
from .gate import Gate, Listed, Refusal
from .hooks import Hooks
from .interventions import INTERVENTIONS_VARIABLE, Interventions, interventions_from
from .names import NamesProbe
from .objects import Objects, held_by
from .own import atexit, os, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .peewee_use import PeeweeProbe
from .pytest_use import PytestProbe
from .recorder import Recorder
from .redact import learn_all
from .settings.probe import SettingsProbe
from .settings_files import SettingsFiles
from .sources import Sources
from .sqlalchemy_use import SQLAlchemyProbe
from .started import Unwatched
from .threads import ThreadProbe
from .unittest_use import UnittestProbe

NAMES = ("environment", "engine", "connection", "app", "pytest", "unittest", "names", "files")


class Installed:
    """The probes of this process, from `install` to `remove`."""

    def __init__(self, directory: str, epoch: float, without: FrozenSet[str], allow: Optional[Listed]) -> None:
        quiet.clear()
        learn_all(dict(os.environ))
        self.recorder = recorder = Recorder(directory, epoch)
        quiet.listeners.append(lambda name, why: recorder.not_seen("probe", name, why))
        self.hooks = Hooks()
        self.names = [name for name in NAMES if name not in without]
        self.recorder.plain("probes", installed=self.names)
        self.interventions = Interventions(
            self.recorder, interventions_from(os.environ.get(INTERVENTIONS_VARIABLE)),
        )
        self.interventions.install(self.hooks)
        gate = None if allow is None else Gate(
            allow.allow, self._refused, allow.known, allow.unjudged, "--allow-driver ",
        )
        self._databases = Databases(self.recorder, Objects(), gate)
        ThreadProbe().install(self.hooks)
        CoverageProbe().install(self.hooks)
        Children(as_here(os.environ), Unwatched(self.recorder, _judge(gate))).install(self.hooks)
        for name, probe in self._probes().items():
            if name in self.names:
                probe.install(self.hooks)
        self.interventions.install_around(self.hooks, self._databases)
        atexit.register(self.end)

    def _probes(self) -> Dict[str, Any]:
        recorder, databases = self.recorder, self._databases
        environ, files = EnvironmentProbe(recorder), SettingsFiles(recorder)
        sources = Sources(
            environ if "environment" in self.names else None, files if "files" in self.names else None,
        )
        apps, pytest = AppProbe(recorder, databases), PytestProbe(recorder)
        if "names" in self.names:
            databases.settings = settings = SettingsProbe(recorder)
            sources.settings = settings
            pytest.after_fixture.append(settings.made)
            pytest.between_phases.append(lambda: settings.look(pytest.functions()))
            check = NamesProbe(recorder, databases.objects, apps.alive).check
            pytest.between_phases.append(check)
            apps.on_lifespan.append(check)
        pytest.between_phases.append(apps.check_overrides)
        pytest.between_phases.append(self._catch_up)
        pytest.after_test.append(databases.test_ended)
        pytest.after_interrupt.append(databases.interrupted)
        self._at_end = apps.check_overrides, databases.test_ended
        return {
            "environment": environ,
            "files": AuditProbe(recorder, files),
            "engine": _Both(
                SQLAlchemyProbe(recorder, databases, sources, asks="connection" in self.names),
                PeeweeProbe(databases, sources),
            ),
            "connection": DriverProbe(databases, sources),
            "app": apps,
            "pytest": pytest,
            "unittest": UnittestProbe(recorder, pytest.phase_ended, pytest.test_ended),
        }

    def _catch_up(self) -> None:
        self.hooks.catch_up_late(lambda name: self.recorder.not_seen(
            "imports", name, "the import system had been replaced, and its first connections may not be recorded",
        ))

    def _refused(self, refusal: Refusal) -> None:
        names = ("database", "entry", "observed", "why_not", "because", "done", "connection")
        fields = {name: refusal[name] for name in names}
        self.recorder.event("refusal", apart=(refusal["database"],), **fields, **self._databases.opening_context())
        self.interventions.refused = True

    def end(self) -> None:
        """Record that the process ended with its probes installed."""
        atexit.unregister(self.end)
        self._note_an_interrupt()
        for finish in (self._catch_up, *self._at_end):
            finish()
        quiet.tell()
        self.recorder.plain(
            "end", watched=self.hooks.installed, failures={**self.hooks.failures, **quiet.failures},
            left_out=self.recorder.count_left_out(), uses=self._databases.counts(),
        )

    @quiet.quietly
    def _note_an_interrupt(self) -> None:
        """Note the KeyboardInterrupt that ends the interpreter, without pytest."""
        last = held_by(sys.modules.get("sys")).get("last_value")
        if last is not None and issubclass(type(last), KeyboardInterrupt):
            self._databases.interrupted(last)

    def remove(self) -> None:
        self.hooks.remove()
        self.recorder.close()


class _Both:
    """Two probes that are installed together."""

    def __init__(self, *probes: Any) -> None:
        self._probes = probes

    def install(self, hooks: Hooks) -> None:
        for probe in self._probes:
            probe.install(hooks)


def _judge(gate: Optional[Gate]) -> Optional[Listening]:
    """Return the listener that refuses native clients by the allow-list; None without a gate."""
    if gate is None:
        return None
    from .guarding import Started

    return Started(gate, None)


_installed: Optional[Installed] = None


def _before_fork() -> None:
    if _installed is not None:
        _installed.recorder.before_fork()


def _after_fork() -> None:
    if _installed is not None:
        _installed.recorder.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def install(
    directory: str, epoch: float, without: FrozenSet[str] = frozenset(), allow: Optional[Listed] = None,
) -> Installed:
    """Install all probes except those in `without`. Raises RuntimeError if they are installed already.

    With `allow`, a connection to a database off the list is refused before its first statement.
    """
    global _installed
    if _installed is not None:
        raise RuntimeError("the probes are in already")
    CURRENT.reset()
    CURRENT.test = os.environ.get(STARTED_IN) or None
    _installed = Installed(directory, epoch, without, allow)
    return _installed


def remove() -> None:
    """Remove all probes, and restore what they replaced."""
    global _installed
    if _installed is not None:
        _installed.end()
        _installed.remove()
        _installed = None
