"""A console that shows what is in names and files, and never does what they tell a terminal."""

import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Table

#: Letters that turn the direction of what is shown, so that a name can look like another.
_TURNING = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\u200e", "\u200f", "\u061c"}
_PLAIN = {"\n", "\t"}


def shown(text: str) -> str:
    """The text, with whatever steers a terminal, and halves of letters, written out as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(letter if letter in _PLAIN or not _steers(letter) else _written_out(letter) for letter in text)


def shown_json(text: str) -> str:
    """The same for a JSON text, which stays one."""
    if text.isprintable():
        return text
    return "".join(letter if letter in _PLAIN or not _steers(letter) else f"\\u{ord(letter):04x}" for letter in text)


class SafeConsole(Console):
    """Texts and the cells of tables as `shown`; its own colours are made of markup, not of letters."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(shown(one) if isinstance(one, str) else one for one in objects), **options)

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: told to who ends the program."""
        raise BrokenPipeError


class SafeTable(Table):
    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(shown(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def _steers(letter: str) -> bool:
    return letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _written_out(letter: str) -> str:
    code = ord(letter)
    # A byte of a name that is no text.
    code = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
