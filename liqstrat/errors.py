"""What a user can put right, said in one message; everything else is a bug and keeps its traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class LiqstratError(Exception):
    """Something the user can put right: the message names what was found and what was expected."""


class InUseError(LiqstratError):
    """A database is being written to by another process; later it can be read."""


class StrategyError(LiqstratError):
    """A user's strategy failed: the message has the market time and the lines of the user's code."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "X"?)` for the nearest of `known`, or an empty text when none is near."""
    near = get_close_matches(word.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.6)
    names = {k.lower(): k for k in known}
    return f' (did you mean "{names[near[0]]}"?)' if near else ""
