"""The bytes of a large file of numbers, looked at as fast as they come from the disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_CHUNK = 1 << 18
#: `,` `-` `.` `/` and the digits stand side by side.
_FIRST, _LAST, _POINT, _MINUS = ord(","), ord("9"), ord("."), ord("-")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class OddBytes:
    """How many bytes are neither digits nor one of `,./`: line ends, letters and whatever else there is.

    points: how many are a point.
    """

    count: int
    points: int
    ends_with_line_end: bool


def odd_bytes(path: Path, begin: int) -> OddBytes:
    """Those of the file at `path` from the byte `begin` on."""
    buffer = np.empty(_CHUNK, dtype=np.uint8)
    moved, is_odd = np.empty_like(buffer), np.empty(_CHUNK, dtype=np.bool_)
    count = points = last = 0
    with path.open("rb", buffering=0) as file:
        file.seek(begin)
        while size := file.readinto(buffer):
            np.subtract(buffer[:size], _FIRST, out=moved[:size])
            np.greater(moved[:size], _LAST - _FIRST, out=is_odd[:size])
            count += int(np.count_nonzero(is_odd[:size]))
            np.equal(buffer[:size], _POINT, out=is_odd[:size])
            points += int(np.count_nonzero(is_odd[:size]))
            # Else `-0` would be a zero like any other.
            np.equal(buffer[:size], _MINUS, out=is_odd[:size])
            count += int(np.count_nonzero(is_odd[:size]))
            last = int(buffer[size - 1])
    return OddBytes(count, points, last == ord("\n"))


def begin_of_rows(path: Path, lines: int) -> int:
    """Where the line after the first `lines` begins; after a byte order mark, where there is none to pass over."""
    with path.open("rb") as file:
        for _ in range(lines):
            file.readline()
        return file.tell() or (len(_BOM) if file.read(len(_BOM)) == _BOM else 0)
