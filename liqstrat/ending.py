"""How the program ends: at most one line for who waits for it, and a code that says why.

What ends it is a signal, an error that the user can put right, or an output that nobody takes. Anything else is a bug,
and keeps its traceback.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

from liqstrat.errors import LiqstratError
from liqstrat.held import why

DONE, FAILED = 0, 1
#: Nobody reads what is printed, as after `| head`.
UNREAD = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
_TOLD = {"SIGINT": "stopped", "SIGTERM": "ended from outside", "SIGHUP": "the terminal was closed"}

#: Signals that asked the program to end, in order.
_asked: list[int] = []
#: Whether there is something that a signal may interrupt; before and after, it is only noted.
_under_way = False
#: So many in a row are meant: what holds the program up is left as it is.
_MOST_ASKED = 3
#: Long enough for what is cleaned up on the way out.
_PATIENCE_SECONDS = 3.0


def run(command: Callable[[], object], *, at_last: bool = False) -> None:
    """Run the command and leave the program: 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n.

    at_last: whether nothing comes after it, so that signals are of no more use.
    """
    _asked.clear()
    with _listening(at_last=at_last):
        code = _code_of(command)
        if _asked:
            _say(f"{_TOLD[signal.Signals(_asked[0]).name]}; run the same command again to go on")
            code = 128 + _asked[0]
        code = _flushed(code)
    # Code given as text, as libraries run it, that was interrupted would make Python end by the signal; other such code
    # makes it forget that.
    exec("")
    sys.exit(code)


def raise_if_asked() -> None:
    """Raise `KeyboardInterrupt` where a signal asked to end: the first one may have been swallowed by a library."""
    if _asked:
        raise KeyboardInterrupt


def on_signal(number: int, _: FrameType | None) -> None:
    """Note that the program is asked to end, and interrupt what it does."""
    _asked.append(number)
    if len(_asked) > _MOST_ASKED:
        os._exit(128 + _asked[0])
    if _under_way:
        _ask_again()
        raise KeyboardInterrupt


def _ask_again() -> None:
    """Interrupt once more after a while: a library may swallow an interrupt, as where it frees an object."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS)


def _on_alarm(_: int, __: FrameType | None) -> None:
    if _under_way:
        _ask_again()
        raise KeyboardInterrupt


def note(number: int) -> None:
    """Note that the program is asked to end, where it is not to be interrupted now."""
    _asked.append(number)


@contextmanager
def in_good_order(stop: Callable[[], object]) -> Iterator[list[int]]:
    """Let a first signal call `stop`, and a second one end the program at once.

    Given are the signals so far, which whoever has stopped is to `note`. In another thread than the main one, none is
    heard.
    """
    asked: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if asked:
            on_signal(number, frame)
        asked.append(number)
        stop()

    heard = [getattr(signal, name) for name in _TOLD if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        heard = []
    # One that is ignored, as of a program that was started so, stays so.
    before = {number: signal.getsignal(number) for number in heard}
    try:
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, hear)
        yield asked
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def open_streams() -> None:
    """Give the program an output and an error output, also where it was started without, that take every text.

    A letter that an output cannot show is replaced.
    """
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace" if _takes_all(stream) else "replace")


def sentence(error: BaseException) -> str | None:
    """What went wrong, for the user; None for a bug."""
    if isinstance(error, LiqstratError):
        return visible(str(error))
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        name = error.filename if isinstance(error.filename, str) else None
        return visible(f"{name or 'reading or writing failed'}: {why(error)}")
    duckdb = sys.modules.get("duckdb")
    if duckdb and isinstance(error, duckdb.Error) and not isinstance(error, duckdb.ProgrammingError):
        return visible(f"DuckDB: {str(error).splitlines()[0]}")
    return None


def visible(text: str) -> str:
    """The text with control characters, which a terminal might obey, spelled out."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _spelled(ord(letter)) for letter in text)


def _spelled(code: int) -> str:
    # A byte of a name that is no text stands for itself.
    code = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _code_of(command: Callable[[], object]) -> int:
    global _under_way
    try:
        _under_way = True
        raise_if_asked()
        try:
            command()
        finally:
            _under_way = False
    except SystemExit as left:
        if left.code == 128 + signal.SIGINT and not _asked:
            # The library of the commands has caught it.
            note(signal.SIGINT)
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            # As that library does where nobody reads.
            return UNREAD
        return left.code if isinstance(left.code, int) else FAILED if left.code else DONE
    except KeyboardInterrupt:
        if not _asked:
            note(signal.SIGINT)
        return FAILED
    except BrokenPipeError:
        return UNREAD
    except Exception as error:
        told = sentence(error)
        if _asked:
            # Half of what was imported or run when the signal came.
            return FAILED
        if told is None:
            raise
        if isinstance(error, OSError) and _is_of_printing(error):
            told = f"the output cannot be written: {why(error)}"
        _say(f"error: {told}")
        return FAILED
    return DONE


def _flushed(code: int) -> int:
    """What is printed is printed, or the reason told."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = UNREAD
    except (OSError, ValueError) as error:
        _say(f"error: the output cannot be written: {why(error) if isinstance(error, OSError) else error}")
        code = code or FAILED
    else:
        if code != UNREAD:
            return code
    # Else Python tries once more when it leaves, and complains.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _is_of_printing(error: OSError) -> bool:
    """Whether it came up where something was printed: such an error names no file."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    module = frames.tb_frame.f_globals.get("__name__", "") if frames is not None else ""
    return error.filename is None and (module.split(".")[0] in ("rich", "typer") or module == "liqstrat.cli.text")


def _takes_all(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")


@contextmanager
def _listening(*, at_last: bool) -> Iterator[None]:
    """Hear the signals that are not ignored or heard by somebody else, as by a program that calls this one."""
    before: dict[int, Any] = {}
    for name in _TOLD:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            with suppress(ValueError):
                before[number] = signal.signal(number, on_signal)
    if before and hasattr(signal, "SIGALRM") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _on_alarm)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if at_last else handler)
