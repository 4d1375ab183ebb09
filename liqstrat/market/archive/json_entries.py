"""The entries of a JSON file: an array of them, a single one, or one a line, as recorders write them."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from liqstrat.market.archive.json_formats import JsonFormat
from liqstrat.market.archive.layout import RefusedError

_LARGEST_DOCUMENT = 512 << 20
_SHOWN = 60

# Numbers stay as they are written: a float would not be.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def read_document(text: str) -> Any:
    """A JSON text, its numbers as texts; raises `RefusedError` with the place of what is wrong."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RefusedError(f"line {error.lineno}: is not JSON ({error.msg})") from None


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
        """All entries. A whole document is read at once, lines one by one."""
        with self._path.open(encoding="utf-8-sig") as file:
            try:
                lines = filter(str.strip, file)
                first = next(lines, None)
                if first is None:
                    raise RefusedError("is empty")
                if _is_whole(first):
                    yield from self._by_line(chain([first], lines))
                else:
                    yield from self._document(chain([first], lines))
            except UnicodeDecodeError:
                raise RefusedError("is not text; expected JSON") from None

    def _document(self, lines: Iterator[str]) -> Iterator[Any]:
        if self._path.stat().st_size > _LARGEST_DOCUMENT:
            raise RefusedError("is one JSON document of over 512 MB; expected a smaller one, or one entry a line")
        yield from _unfolded(read_document("".join(lines)))

    def _by_line(self, lines: Iterator[str]) -> Iterator[Any]:
        for number, line in enumerate(lines, 1):
            try:
                yield from _unfolded(_DECODER.decode(line))
            except json.JSONDecodeError as error:
                if next(lines, None) is not None:
                    raise RefusedError(f"line {number}: is not JSON ({error.msg})") from None
                # A recorder that was stopped leaves half a line.
                self.cut = True


def write_rows(file: JsonFile, format_: JsonFormat, target: Path) -> int:
    """Write the entries to the CSV file `target`, the columns of the layout in order, no header; how many.

    Raises `RefusedError` for an entry of another format.
    """
    count = 0
    with target.open("w", encoding="utf-8", newline="") as plain:
        writer = csv.writer(plain, lineterminator="\n")
        for number, entry in enumerate(file.entries(), 1):
            values = format_.values(entry)
            if values is None:
                raise RefusedError(f"entry {number}: is {_shown(entry)}, expected one of {format_.name}")
            writer.writerow([_cell(value) for value in values])
            count += 1
    return count


def _is_whole(line: str) -> bool:
    """Whether the first line is an entry, or several, by itself."""
    try:
        _DECODER.decode(line)
    except json.JSONDecodeError:
        return False
    return True


def _unfolded(document: Any) -> Iterator[Any]:
    """The entries of an array, or the one that stands alone, out of the stream's envelope; answers to a subscription
    (`{"result": null, "id": 1}`) are none."""
    for entry in document if _is_array_of_entries(document) else [document]:
        if isinstance(entry, dict):
            if "result" in entry and "id" in entry:
                continue
            if isinstance(entry.get("data"), dict) and "stream" in entry:
                entry = entry["data"]
        yield entry


def _is_array_of_entries(document: Any) -> bool:
    """A candle is an array itself; one a line is then an array of texts."""
    return isinstance(document, list) and all(isinstance(entry, dict | list) for entry in document)


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
        return f"the keys {','.join(entry)}"
    kind: Sequence[Any] = entry if isinstance(entry, list) else [entry]
    return f"{len(kind)} values ({_shown(entry)})"
