"""Files of JSON lines that are added to: half a line at the end is of a program that was killed."""

import json
import os
from pathlib import Path
from typing import Any

from liqstrat.errors import LiqstratError
from liqstrat.held import why


def add_line(path: Path, entry: dict[str, Any], *, sync: bool = False) -> None:
    """Append an entry, which then is with the operating system, or on the disk where that is asked for by `sync`.

    Raises `LiqstratError` where the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            if sync:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise LiqstratError(f"{path}: cannot be written: {why(error)}") from None


def whole_lines(path: Path, *, mend: bool = False) -> list[dict[str, Any]]:
    """The entries of a file, none where there is none; `mend`: half a line at the end is cut off.

    Raises `LiqstratError` with the line that is no JSON object.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if mend and len(whole) < len(data):
        os.truncate(path, len(whole))
    return [_entry(path, number, line) for number, line in enumerate(whole.split(b"\n")[:-1], 1)]


def _entry(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        found = line[:40].decode(errors="replace")
        raise LiqstratError(
            f'{path}:{number}: "{found}" is no JSON object, expected one a line, as the program writes it'
        )
    return entry
