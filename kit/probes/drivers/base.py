"""What every adapter of a driver has: the modules it watches, the functions that redirect, its objects' classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, FrozenSet, NamedTuple, Optional, Tuple
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

Kind = Tuple[str, str]  # a class: its module and its name
Around = Callable[[Callable[..., Any]], Callable[..., Any]]  # what is called in place of the function that it is given


class Opener(NamedTuple):
    """A function of a driver's that connects, or makes a pool that will, and how a place is given to it by keyword."""

    module: str  # in which it is, or in which `owner` is
    function: str
    owner: str = ""  # the class that it is a function of
    database: str = "database"  # the keyword that names the database
    within: str = ""  # the keyword whose dictionary holds these keywords, if they are not the function's own
    makes_pool: bool = False
    arguments: Tuple[str, ...] = ()  # the keywords that may be given by position, in their order
    outweighs: Tuple[str, ...] = ()  # the keywords that decide where it leads, whatever host and port say
    of_the_call: Tuple[str, ...] = ()  # the keywords that lead to no place: they are the caller's own

    def owner_in(self, module: Any) -> Any:
        """Return what has the function as an attribute."""
        return getattr(module, self.owner) if self.owner else module


class Adapter:
    """One driver. It asks each new connection once, before the application gets it, and hands it on as it was.

    Without `statements` it sees connections only. Without `sources` it does not follow who made a pool.
    """

    name: ClassVar[str]  # as evidence names the driver
    packages: ClassVar[Tuple[str, ...]]  # that are imported for it
    dialects: ClassVar[FrozenSet[str]] = frozenset()  # SQLAlchemy's names for it
    dialect: ClassVar[str] = ""  # SQLAlchemy's name for the kind of its servers
    openers: ClassVar[Tuple[Opener, ...]] = ()  # of servers; a driver of files has its own way
    connections: ClassVar[Tuple[Kind, ...]] = ()  # the classes of what it gives
    pools: ClassVar[Tuple[Kind, ...]] = ()
    inner: ClassVar[Tuple[Tuple[str, str], ...]] = ()  # a package, and where its connections hold another driver's own

    _hooks: "Hooks"

    def __init__(self, databases: "Databases", sources: "Optional[Sources]", statements: bool) -> None:
        self._databases, self._sources, self._statements = databases, sources, statements

        self._own: Dict[int, Any] = {}  # what it has put into the driver, by id

    def install(self, hooks: "Hooks") -> None:
        """Put it into the driver, once that is imported."""
        raise NotImplementedError

    @staticmethod
    def place(connection: Any) -> Optional[str]:
        """Return where a connection leads, as a URL; None where it is closed, LookupError where it cannot be read."""
        raise LookupError("a connection of this driver does not tell which server it uses")

    @staticmethod
    def credentials(connection: Any) -> Optional[Dict[str, str]]:
        """Return what it takes to connect there again: host, port, user, database, password; None if not known."""
        return None

    @classmethod
    def leads_off(cls, connection: Any, allow: AllowList) -> Optional[str]:
        """Return where a connection leads that nothing on the list allows; None where it is closed or allowed.

        Raises whatever the driver does for one that cannot be read.
        """
        place = cls.place(connection)
        return None if place is None or allow.allows_server(place, None) else redact(place)

    @classmethod
    def around_opening(cls, hooks: "Hooks", make: Around) -> None:
        """Have files opened by what `make` returns for the driver's own function; a driver of servers has `openers`."""

    @classmethod
    def without_pools(cls, hooks: "Hooks", took_hold: Callable[[], None]) -> None:
        """Have the driver's own pools keep no connection, and call `took_hold` where one would have been kept."""

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put in a function of the adapter's, if it is not there yet: a module that is reloaded may have kept it."""
        if id(vars(owner).get(name)) not in self._own:
            self._hooks.replace(owner, name, make)
            put = vars(owner)[name]
            self._own[id(put)] = put


class ServerAdapter(Adapter):
    """A driver of servers: it keeps what was found out about each connection, for the statements that follow.

    `_gated` says that there is a list of what is allowed: then a connection that was not seen as it opened, by a name
    that was bound before or by another way, is asked as it first runs a statement.
    """

    dialect: ClassVar[str] = "postgresql"

    def __init__(self, databases: "Databases", sources: "Optional[Sources]", statements: bool) -> None:
        super().__init__(databases, sources, statements)
        self._gated = databases.gated
        self._reached: Dict[int, Tuple[Any, Reached]] = {}  # by the id of a connection, with what points at it

    @quietly
    def _made_pool(self, pool: Any, place: Any, named: Any) -> None:
        """A pool was made. What is a function, asked again for each connection, is not known before one opens."""
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
