"""The entries of a JSON file: an array of them, a single one, or one a line, as recorders write them."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from liqstrat.market.archive.json_format import JsonFormat
from liqstrat.market.archive.layout import RefusedError

#: Letters of one entry, or of a line of entries: of a file of any size, no more is in memory at once.
LARGEST_ENTRY = 16 << 20
_CHUNK = 1 << 16
_SHOWN = 60
_BLANKS = re.compile(r"[ \t\r\n]*")

# Numbers stay as they are written: a float would not be.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def read_document(text: str) -> Any:
    """A JSON text, its numbers as texts; raises `RefusedError` with the place of what is wrong."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RefusedError(f"line {error.lineno}: is not JSON ({error.msg})") from None
    except RecursionError:
        raise RefusedError("is not JSON of the exchange: lists in lists without end") from None


class JsonFile:
    """A JSON file that is read entry by entry. `cut`: whether its last line was found to be half of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cut = False

    def first(self) -> Any:
        """The first entry; raises `RefusedError` where there is none."""
        for entry in self.entries():
            return entry
        raise RefusedError("holds no entry")

    def entries(self) -> Iterator[Any]:
        """All entries, in the memory of one."""
        with self._path.open(encoding="utf-8-sig") as file:
            try:
                lines = _lines(file)
                first = next(lines, None)
                if first is None:
                    raise RefusedError("is empty")
                if _is_whole(first):
                    yield from self._by_line(chain([first], lines))
                else:
                    yield from map(_out_of_envelope, filter(_is_entry, _Document(file).entries()))
            except UnicodeDecodeError:
                raise RefusedError("is not text; expected JSON") from None
            except RecursionError:
                raise RefusedError("is not JSON of the exchange: lists in lists without end") from None

    def _by_line(self, lines: Iterator[str]) -> Iterator[Any]:
        for number, line in enumerate(lines, 1):
            if len(line) > LARGEST_ENTRY:
                raise RefusedError(f"line {number}: is longer than {LARGEST_ENTRY >> 20} MB")
            try:
                yield from _unfolded(_DECODER.decode(line))
            except json.JSONDecodeError as error:
                if next(lines, None) is not None:
                    raise RefusedError(f"line {number}: is not JSON ({error.msg})") from None
                # A recorder that was stopped leaves half a line.
                self.cut = True


class _Document:
    """One JSON text over many lines, or on one that is long: an array is read entry by entry."""

    def __init__(self, file: TextIO) -> None:
        file.seek(0)
        self._file = file
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_over = False

    def entries(self) -> Iterator[Any]:
        if self._peek() == "[" and self._begins_with_an_entry():
            yield from self._array()
        else:
            yield self._value()
        if self._peek():
            raise self._error("more than one value")

    def _begins_with_an_entry(self) -> bool:
        """Whether a list has other than texts and numbers, of which a candle is made."""
        while (begins := self._text[self._at + 1 : self._at + 100].lstrip()[:1]) == "" and self._read(_CHUNK):
            pass
        return begins in ("[", "{", "]", "n")

    def _array(self) -> Iterator[Any]:
        self._at += 1
        while self._peek() != "]":
            yield self._value()
            after = self._peek()
            if after == ",":
                self._at += 1
                if self._peek() == "]":
                    raise self._error("a comma too many")
            elif after != "]":
                raise self._error("a comma or the end of the list is missing")
        self._at += 1

    def _peek(self) -> str:
        """The next letter that is no blank; empty at the end."""
        while True:
            self._at = _BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(_CHUNK):
                return ""

    def _value(self) -> Any:
        """The value that begins here; more and more is read until it is whole."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._read(max(_CHUNK, len(self._text) - self._at)):
                    raise self._error(error.msg, error.pos) from None
                continue
            if end < len(self._text) or not self._read(_CHUNK):
                self._at = end
                return value

    def _read(self, letters: int) -> bool:
        """Read on, and forget what lies behind; whether there was more."""
        if self._is_over:
            return False
        if len(self._text) - self._at > LARGEST_ENTRY:
            raise RefusedError(f"line {self._line}: begins an entry of more than {LARGEST_ENTRY >> 20} MB")
        more = self._file.read(letters)
        self._is_over = not more
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + more, 0
        return not self._is_over

    def _error(self, what: str, at: int | None = None) -> RefusedError:
        line = self._line + self._text.count("\n", 0, self._at if at is None else at)
        return RefusedError(f"line {line}: is not JSON ({what})")


def write_rows(file: JsonFile, format_: JsonFormat, target: Path) -> int:
    """Write the entries to the CSV file `target`, the columns of the layout in order, no header; how many rows.

    Raises `RefusedError` for an entry of another format, and for a value that no cell has.
    """
    columns = format_.layout.columns
    count = 0
    with target.open("w", encoding="utf-8", newline="") as plain:
        for number, entry in enumerate(file.entries(), 1):
            rows = format_.rows(entry)
            if rows is None:
                raise RefusedError(f"entry {number}: is {_shown(entry)}, expected one of {format_.name}")
            for values in rows:
                cells = [_cell(value) if column.used else "" for value, column in zip(values, columns, strict=True)]
                for column, cell in zip(columns, cells, strict=True):
                    if not _IN_A_CELL.fullmatch(cell):
                        told = f"{column.name} is {_shown(cell)}, expected a number or a word"
                        raise RefusedError(f"entry {number}: {told}")
                plain.write(",".join(cells) + "\n")
                count += 1
    return count


#: No comma, quote, line end or half of a letter.
_IN_A_CELL = re.compile('[^,"\\x00-\\x1f\\x7f\\ud800-\\udfff]{0,100}')


def _lines(file: TextIO) -> Iterator[str]:
    """The lines that are not blank, none longer than need be to see that it is too long."""
    while line := file.readline(LARGEST_ENTRY + 1):
        if not line.isspace():
            yield line


def _is_whole(line: str) -> bool:
    """Whether the first line is an entry, or several, by itself."""
    if len(line) > LARGEST_ENTRY:
        return False
    try:
        _DECODER.decode(line)
    except json.JSONDecodeError:
        return False
    return True


def _unfolded(document: Any) -> Iterator[Any]:
    """The entries of an array, or the one that stands alone."""
    entries = document if _is_array_of_entries(document) else [document]
    return map(_out_of_envelope, filter(_is_entry, entries))


def _is_entry(entry: Any) -> bool:
    """Answers to a subscription (`{"result": null, "id": 1}`) are none."""
    return not (isinstance(entry, dict) and "result" in entry and "id" in entry)


def _out_of_envelope(entry: Any) -> Any:
    """What a frame of a combined stream carries."""
    if isinstance(entry, dict) and isinstance(entry.get("data"), dict) and "stream" in entry:
        return entry["data"]
    return entry


def _is_array_of_entries(document: Any) -> bool:
    """A candle is an array itself; one a line is then an array of texts."""
    return isinstance(document, list) and (
        not document or any(entry is None or isinstance(entry, dict | list) for entry in document)
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def _shown(entry: Any) -> str:
    text = json.dumps(entry)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def keys_text(entry: Any) -> str:
    """What an entry is made of, for a message."""
    if isinstance(entry, dict):
        shown = ",".join(list(entry)[:12])
        return f"the keys {shown if len(shown) <= 2 * _SHOWN else shown[: 2 * _SHOWN] + '…'}"
    kind: Sequence[Any] = entry if isinstance(entry, list) else [entry]
    return f"{len(kind)} values ({_shown(entry)})"
