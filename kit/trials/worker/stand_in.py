"""The program that a script runs as Python: passes its command, folder, environment and files to the warm parent.

A copy of this is next to the parent's socket and is run by the parent's interpreter with few imports (-I -S). It exits
as the command did. If the parent does not fork the command, the interpreter runs it itself.
"""

import _signal  # type: ignore[import-not-found]  # of which `signal` is a slow wrapper
import _socket
import os
import sys


def main(program: str, *arguments: str) -> None:
    """Pass the command on, and exit with its exit code or by its signal."""
    command = (sys.executable, *arguments)
    # The script's PYTHON, and the shell's variable for the present program, name this program.
    environ = {name: sys.executable if value == program else value for name, value in os.environ.items()}
    answer = _ask(os.path.join(os.path.dirname(program), "parent"), _message(command, environ))
    if answer[:1] == b"=":
        code = int(answer[1:])
        if code < 0:
            _end_by(-code)
        os._exit(code)
    os.execve(command[0], command, environ)


def _end_by(number: int) -> None:
    """Exit by this signal, even if it was ignored at our start, as a shell does for background jobs."""
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _ask(address: str, message: bytes) -> bytes:
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(address)
        connection.sendmsg(
            [message],
            [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, b"".join(n.to_bytes(4, sys.byteorder) for n in range(3)))],
        )
        return connection.recv(64)
    except OSError:
        return b""


def _message(command: tuple[str, ...], variables: dict[str, str]) -> bytes:
    """The command in the format of `wire`, a module that would import half the standard library."""
    environ = ",".join(f"[{_quoted(name)},{_quoted(value)}]" for name, value in variables.items())
    arguments = ",".join(map(_quoted, command))
    text = (
        f'{{"do":"python","arguments":[{arguments}],"folder":{_quoted(os.getcwd())},"environ":[{environ}]}}'
    ).encode()
    return len(text).to_bytes(4, "big") + text


def _quoted(text: str) -> str:
    """An ASCII JSON string; lone surrogates stand for undecodable bytes, as in Python."""
    units = text.encode("utf-16-be", "surrogatepass")
    return '"' + "".join(
        chr(unit) if 32 <= unit < 127 and unit not in (34, 92) else f"\\u{unit:04x}"
        for unit in (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    ) + '"'


main(*sys.argv)
