"""Whether metrics are labelled by the end of their five minutes, or by the start: told by the file itself.

Up to 2026-06-24 the archive's `create_time` was the moment when a value was known, from 00:05 to the midnight after;
from 2026-06-25 on it is five minutes earlier, from 00:00 to 23:55 (github.com/binance/binance-public-data, issue 491).
Read as before, every value would be known five minutes early.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from liqstrat.market.label_evidence import PERIOD_US, meanings, neighbour
from liqstrat.market.reading import TABLE
from liqstrat.moments import DAY_US, at_us

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """timestamp: SQL for the moment at which a row is known. remark: what is worth saying, if anything."""

    timestamp: str
    remark: str = ""


def read_labels(
    connection: duckdb.DuckDBPyConnection, column: str, path: Path, period: tuple[date, date] | None
) -> Labels:
    """What `column` of the temporary table means, of the file `path` that is named for `period`, if it is.

    A file that begins five minutes after midnight, or ends at one, has ends; one that begins at midnight, or ends five
    minutes before, has starts. One that does both has a midnight twice, where the meaning changes. Where none of it
    tells, the files of the days around it are asked, and if they do not tell, the later moment is taken.
    """
    found = connection.execute(f"select epoch_us({column}) as us from {TABLE} order by rowid").fetchnumpy()
    times = np.asarray(found["us"], dtype=np.int64)
    first, last = int(times.min()), int(times.max())
    said = meanings(first, last, period)
    if len(said) == 1:
        return Labels(column if said == {"ends"} else _later(column))
    seam = _seam(connection, column, times) if said and first % DAY_US == PERIOD_US else None
    if seam is not None:
        midnight, from_row, back = seam
        later = f"epoch_us({column}) > {midnight} or epoch_us({column}) = {midnight} and rowid {back} {from_row}"
        at = at_us(midnight)
        remark = f"its times are ends of five minutes up to {at:%Y-%m-%d} 00:00, and starts from the second such row on"
        return Labels(f"if({later}, {_later(column)}, {column})", remark)
    if beside := neighbour(path, period):
        taken = f"its times are taken as the {beside.meaning} of five minutes, as those of {beside.name} beside it are"
        return Labels(column if beside.meaning == "ends" else _later(column), taken)
    what = "whether its times are the start or the end of five minutes cannot be told: taken as the start, known later"
    return Labels(_later(column), what)


def _seam(connection: duckdb.DuckDBPyConnection, column: str, times: _Ints) -> tuple[int, int, str] | None:
    """The midnight that stands twice, and which rows of it are starts: those from a row on, or up to it."""
    midnights, counts = np.unique(times[times % DAY_US == 0], return_counts=True)
    twice = midnights[counts == 2].tolist()
    if len(twice) > 1:
        twice = [midnight for midnight in twice if _differ(connection, column, midnight)]
    if len(twice) != 1:
        return None
    rows = np.flatnonzero(times == twice[0])
    rising = times[0] <= times[-1]
    return int(twice[0]), int(rows[1] if rising else rows[0]), ">=" if rising else "<="


def _differ(connection: duckdb.DuckDBPyConnection, column: str, midnight: int) -> bool:
    sql = f"select count(distinct sum_open_interest) from {TABLE} where epoch_us({column}) = {midnight}"
    return bool(connection.execute(sql).fetchall()[0][0] > 1)


def _later(column: str) -> str:
    return f"{column} + to_microseconds({PERIOD_US})"
