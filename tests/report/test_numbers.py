from datetime import UTC, datetime, timedelta, timezone

import pytest

from liqstrat.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1234, "1.23 K"), (999_999, "1.00 M"), (12.34e6, "12.3 M"), (-2.5e9, "−2.50 B")],
)
def test_amounts_have_three_digits_and_a_unit(value: float, text: str) -> None:
    assert numbers.amount(value) == text


def test_trimmed_amounts_lose_only_zeros_behind_the_point() -> None:
    assert [numbers.amount(value, trimmed=True) for value in (20e6, 2.5e6, 100e6, 0)] == ["20 M", "2.5 M", "100 M", "0"]


def test_signs_are_shown_where_asked_and_nothing_has_none() -> None:
    assert numbers.number(1234.5, signed=True) == "+1,234.50"
    assert numbers.number(-1234.5) == "−1,234.50"
    assert numbers.number(-0.001, signed=True) == "0.00"
    assert numbers.percent(-0.0123) == "−1.23%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60_000, "60,000.0"),
        (0.5, "0.500000"),
        (0.00001178, "0.000011780"),
        (1.23456e-7, "0.00000012346"),
        (0, "0.000000"),
    ],
)
def test_small_prices_keep_five_digits(value: float, text: str) -> None:
    assert numbers.price(value) == text


def test_absent_values_are_a_dash() -> None:
    texts = (
        numbers.number,
        numbers.percent,
        numbers.price,
        numbers.quantity,
        numbers.amount,
        numbers.moment,
        numbers.length,
    )
    assert {text(None) for text in texts} == {"–"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (45, "45 s"),
        (59.6, "1 min"),
        (3599, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 d"),
        (7 * 86_400 + 7200, "7 d 2 h"),
    ],
)
def test_lengths_carry_into_the_next_unit(seconds: float, text: str) -> None:
    assert numbers.length(seconds) == text


def test_times_are_utc() -> None:
    tokyo = datetime(2024, 3, 1, 9, 5, tzinfo=timezone(timedelta(hours=9)))
    assert numbers.moment(tokyo) == numbers.moment(datetime(2024, 3, 1, 0, 5, tzinfo=UTC)) == "2024-03-01 00:05"
