"""Moments and counts of them, to the microsecond, wherever in time they are."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.moments import at_ns, at_us, column_ns, column_us, microseconds, microseconds_in, nanoseconds

MOMENTS = st.datetimes(datetime(1969, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))


@given(moment=MOMENTS, rest=st.integers(0, 999))
def test_nothing_is_lost_but_what_a_datetime_cannot_tell(moment: datetime, rest: int) -> None:
    assert at_us(microseconds(moment)) == moment
    assert at_ns(nanoseconds(moment) + rest) == moment


def test_a_moment_is_the_same_in_every_zone() -> None:
    there = datetime(2024, 3, 1, 5, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert microseconds(there) == 1_709_251_200_000_001
    assert at_us(microseconds(there)).utcoffset() == timedelta(0)
    with pytest.raises(TypeError):
        microseconds(datetime(2024, 3, 1))


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_column_counts_the_same_in_every_unit(unit: str) -> None:
    moments = [datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 1, 0, 0, 0, 7, tzinfo=UTC)]
    column = pa.chunked_array([pa.array(moments, pa.timestamp(unit, "UTC"))])
    assert column_us(column).tolist() == [microseconds(moment) for moment in moments]
    assert column_ns(column).tolist() == [nanoseconds(moment) for moment in moments]
    assert microseconds_in(moments[1] - moments[0]) == 7
