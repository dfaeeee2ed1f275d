"""The base class of driver adapters: the modules to watch, the functions that connect, the classes of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, FrozenSet, NamedTuple, Optional, Sequence, Tuple
from weakref import ref

from ..allow import AllowList
from ..gate import Reached
from ..objects import address
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..redact import redact
from .asking import told

if TYPE_CHECKING:
    from ..databases import Databases
    from ..hooks import Hooks
    from ..sources import Sources

Kind = Tuple[str, str]  # (module, class)
Around = Callable[[Callable[..., Any]], Callable[..., Any]]  # takes the original function, returns its wrapper


class Opener(NamedTuple):
    """A driver's function that connects or makes a pool, and its keywords for the address."""

    module: str  # the module of the function, or of `owner`
    function: str
    owner: str = ""  # the class of the method, if it is one
    database: str = "database"  # the keyword that names the database
    within: str = ""  # the keyword with a dict of these keywords, if they are not the function's own
    makes_pool: bool = False
    arguments: Tuple[str, ...] = ()  # keywords that may be positional, in order
    outweighs: Tuple[str, ...] = ()  # keywords that override host and port
    of_the_call: Tuple[str, ...] = ()  # keywords that are not part of the address, and stay

    def owner_in(self, module: Any) -> Any:
        """Return the class or module that has the function as an attribute."""
        return getattr(module, self.owner) if self.owner else module


class Adapter:
    """One driver. Each new connection is queried once before the application gets it, and its state is restored.

    Without `statements` only connections are watched. Without `sources` the making of pools is not followed.
    """

    name: ClassVar[str]  # the driver's name in the evidence
    packages: ClassVar[Tuple[str, ...]]  # the driver's packages
    dialects: ClassVar[FrozenSet[str]] = frozenset()  # SQLAlchemy's names for it
    dialect: ClassVar[str] = ""  # SQLAlchemy's name for its servers
    openers: ClassVar[Tuple[Opener, ...]] = ()  # of servers; see `around_opening` for files
    connections: ClassVar[Tuple[Kind, ...]] = ()  # the classes of its connections
    pools: ClassVar[Tuple[Kind, ...]] = ()
    inner: ClassVar[Tuple[Tuple[str, str], ...]] = ()  # package -> attribute with the wrapped driver's connection

    asks_sessions: ClassVar[bool] = False  # whether it has `ask_session`
    visits_sessions: ClassVar[bool] = False  # whether it lets `Databases.visitors` ask its connections in their loop

    _hooks: "Hooks"

    def __init__(self, databases: "Databases", sources: "Optional[Sources]", statements: bool) -> None:
        self._databases, self._sources, self._statements = databases, sources, statements

        self._own: Dict[int, Any] = {}  # its wrappers in the driver, by id

    def install(self, hooks: "Hooks") -> None:
        """Wrap the driver's functions once it is imported."""
        raise NotImplementedError

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        """Return a connection's URL; None if it is closed. Raises LookupError if it cannot be determined."""
        raise LookupError("a connection of this driver does not tell which server it uses")

    @staticmethod
    def credentials(connection: Any) -> Optional[Dict[str, str]]:
        """Return host, port, user, database and password to connect there again; None if unknown."""
        return None

    @staticmethod
    def ask_session(connection: Any, question: str) -> Optional[Sequence[Sequence[Any]]]:
        """Run a statement of the kit's on a connection; None if a transaction is open on it, or it is closed."""
        return None

    @classmethod
    def disallowed_destination(cls, connection: Any, allow: AllowList) -> Optional[str]:
        """Return the destination of a connection that is off the allow-list; None if it is closed or allowed.

        Raises whatever the driver raises if it cannot be determined.
        """
        place = cls.place(connection)
        return None if place is None or allow.allows_server(place, None) else redact(place)

    @classmethod
    def around_opening(cls, hooks: "Hooks", make: Around) -> None:
        """Wrap the function that opens files by `make`; for drivers of servers there are `openers`."""

    @classmethod
    def without_pools(cls, hooks: "Hooks", record_effect: Callable[[], None]) -> None:
        """Make the driver's pools keep no connection, and call `record_effect` whenever one would have been kept."""

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Wrap a function, unless it is wrapped already: a reloaded module can still have the wrapper."""
        if id(vars(owner).get(name)) not in self._own:
            self._hooks.replace(owner, name, make)
            put = vars(owner)[name]
            self._own[id(put)] = put


class ServerAdapter(Adapter):
    """A driver of servers: keeps the identity of each connection's server, to judge its statements.

    `_gated` is true if there is an allow-list. Then a connection that was not seen when it opened (through a reference
    taken earlier, or another function) is queried before its next statement.
    """

    dialect: ClassVar[str] = "postgresql"

    def __init__(self, databases: "Databases", sources: "Optional[Sources]", statements: bool) -> None:
        super().__init__(databases, sources, statements)
        self._gated = databases.gated
        self._reached: Dict[int, Tuple[Any, Reached]] = {}  # id of a connection -> weak reference, identity

    @quietly
    def _made_pool(self, pool: Any, place: Any, named: Any) -> None:
        """Record a new pool. An address that is a function is called for each connection, and unknown until then."""
        whole, by_name = (place if type(place) is str else ""), (named if type(named) is dict else {})
        self._databases.made_pool(pool, self.name, told((whole,), by_name), whole, self._sources)

    def _keep(self, connection: Any, reached: Reached) -> None:
        number, known = address(connection), self._reached

        def gone(pointer: Any) -> None:
            if known.get(number, (None,))[0] is pointer:
                del known[number]

        known[number] = ref(connection, gone), reached

    def _reached_by(self, connection: Any) -> Optional[Reached]:
        pointer, reached = self._reached.get(address(connection), (None, None))
        return reached if pointer is not None and pointer() is connection else None
