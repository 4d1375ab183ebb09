import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.liquidation.grid import bin_of, low_edge, middle

widths = st.sampled_from([0.0005, 0.001, 0.0025, 0.01])


@given(st.integers(-20_000, 20_000), widths)
def test_bins_and_prices_round_trip(k: int, width: float) -> None:
    if not 1e-7 < float(middle(k, width)) < 1e9:
        return
    assert int(bin_of(low_edge(k, width), width)) == k
    assert int(bin_of(middle(k, width), width)) == k


@given(st.floats(1e-6, 1e7), widths)
def test_a_price_lies_in_its_bin(price: float, width: float) -> None:
    k = int(bin_of(price, width))
    assert low_edge(k, width) <= price * (1 + 1e-11)
    assert price < low_edge(k + 1, width)


@given(st.floats(1e-6, 1e7), widths, st.integers(-500, 500))
def test_a_leverage_tier_is_a_shift_whatever_the_price(price: float, width: float, shift: int) -> None:
    moved = middle(bin_of(price, width), width) * np.exp(shift * np.log1p(width))
    assert int(bin_of(moved, width)) == int(bin_of(price, width)) + shift
