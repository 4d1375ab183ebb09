import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqstrat.report.raster import MOST_CELLS, Raster, colour_scale, rasterise, shown_of

START_MS = 1_709_251_200_000
QUARTER_MS = 900_000
NOT_RECORDED, NOTHING = 0, 1
Row = tuple[int, int, float]  # map (quarter hours after the start), price bin of 0.2 %, contracts


def table(rows: list[Row]) -> pa.Table:
    quarter, number, contracts = (np.array(values) for values in zip(*rows, strict=True))
    time = pa.array(((START_MS + quarter * QUARTER_MS) * 1000).astype(np.int64)).cast(pa.timestamp("us", "UTC"))
    low = 60_000 * 1.002 ** number.astype(float)
    return pa.table({"time": time, "price_low": low, "price_high": low * 1.002, "contracts": contracts.astype(float)})


def raster_of(rows: list[Row]) -> Raster:
    raster = rasterise(table(rows))
    assert raster is not None
    return raster


def code(raster: Raster, quarter: float, number: float) -> int:
    """The byte drawn at a moment and a price (bins, may be fractions)."""
    price = 60_000 * 1.002 ** (number + 0.5)
    column = int((quarter * QUARTER_MS + START_MS - raster.start_ms) / raster.step_ms)
    return int(raster.codes[int((price - raster.low) / raster.row_height), column])


def test_a_band_starts_when_positions_open_and_ends_where_price_runs_through() -> None:
    edges = [(quarter, number, 5.0) for quarter in range(4) for number in (-10, 10)]
    raster = raster_of([*edges, (1, 3, 8.0), (2, 3, 8.0)])
    drawn = [code(raster, quarter + 0.5, 3) > NOTHING for quarter in range(4)]
    assert drawn == [False, True, True, False]
    assert code(raster, 3.5, 3) == NOTHING


def test_a_map_is_drawn_from_its_moment_on() -> None:
    raster = raster_of([(0, 0, 1.0), (1, 5, 1.0), (2, 0, 1.0)])
    assert raster.start_ms == START_MS
    assert raster.step_ms == QUARTER_MS
    assert code(raster, 0.99, 5) == NOT_RECORDED
    assert code(raster, 1.0, 5) > NOTHING


def test_what_no_map_reached_is_told_apart_from_nothing() -> None:
    raster = raster_of(
        [(0, -10, 1.0), (0, 10, 1.0), (1, -2, 1.0), (1, 2, 1.0), (4, -10, 1.0), (4, 10, 1.0), (5, 0, 1.0)]
    )
    assert code(raster, 0.5, 5) == NOTHING
    assert code(raster, 1.5, 5) == NOT_RECORDED
    assert code(raster, 2.5, 0) == NOT_RECORDED, "no map was recorded then"


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 12), st.integers(-80, 80), st.sampled_from([5, 10, 50])),
        st.floats(0.5, 500),
        min_size=1,
        max_size=60,
    )
)
def test_every_amount_can_be_read_back(cells: dict[tuple[int, int, int], float]) -> None:
    rows = [(quarter, number, contracts) for (quarter, number, _), contracts in cells.items()]
    always = [(quarter, 0, 1.0) for quarter in range(13)]
    raster = raster_of([*rows, *always])
    sums: dict[tuple[int, int], float] = {(quarter, number): contracts for quarter, number, contracts in always}
    for quarter, number, contracts in rows:
        sums[quarter, number] = sums.get((quarter, number), 0.0) + contracts
    amounts = raster.scale.decode()
    for (quarter, number), contracts in sums.items():
        usdt = min(contracts * 60_000 * 1.002 ** (number + 0.5), raster.scale.highest)
        at = code(raster, quarter + 0.5, number)
        neighbours = amounts[max(at - 1, 1)], amounts[min(at + 1, 255)]
        assert neighbours[0] <= usdt * 1.000001
        assert usdt <= neighbours[1] * 1.000001


def test_of_two_maps_in_one_column_the_later_counts_and_nothing_is_added_up() -> None:
    rows = [(quarter, 0, 10.0) for quarter in range(6)]
    late = table([(5, 0, 4.0)])
    late = late.set_column(
        0, "time", pa.array([(START_MS + 5 * QUARTER_MS + 1000) * 1000]).cast(pa.timestamp("us", "UTC"))
    )
    raster = rasterise(pa.concat_tables([table(rows), late]))
    assert raster is not None
    assert raster.codes.shape[1] == 6
    shown = raster.scale.decode()[code(raster, 5.5, 0)]
    assert shown == pytest.approx(4 * 60_000, rel=0.02)


def test_a_long_record_is_thinned_to_what_a_page_can_carry() -> None:
    rows = [(quarter, number, 1.0 + quarter % 7) for quarter in range(6000) for number in (-300, 0, 300)]
    raster = raster_of(rows)
    assert raster.codes.size <= MOST_CELLS
    assert raster.end_ms >= START_MS + 5999 * QUARTER_MS


def test_no_levels_make_no_picture() -> None:
    assert rasterise(table([(0, 0, 1.0)]).slice(0, 0)) is None


@given(st.lists(st.floats(1.0, 1e9), min_size=1, max_size=200))
def test_more_is_never_drawn_darker(amounts: list[float]) -> None:
    ordered = np.sort(np.array(amounts))
    codes = colour_scale(ordered).encode(ordered)
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert codes[-1] == 255


def test_colour_bar_ticks_are_round_and_inside() -> None:
    ticks = colour_scale(np.linspace(1e6, 73.2e6, 1000)).ticks()
    assert ticks == [0, 20e6, 40e6, 60e6]


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 200), st.sets(st.integers(1, 200), max_size=40), st.integers(100, 4000))
def test_the_maps_that_are_drawn_alone_make_the_same_picture(maps: int, missing: set[int], most_cells: int) -> None:
    rows: list[Row] = [
        (quarter, number, 1.0 + (7 * quarter + number) % 5)
        for quarter in range(maps)
        if quarter not in missing
        for number in range(-10, 11)
    ]
    every = table(rows)
    shown = shown_of(every["time"].unique().sort(), every["price_low"].unique(), most_cells)
    some = rasterise(every.filter(pc.is_in(every["time"], value_set=shown)), most_cells=most_cells)
    whole = rasterise(every, most_cells=most_cells)
    assert some is not None
    assert whole is not None
    if some.step_ms == whole.step_ms:
        columns = some.codes.shape[1]
        assert (some.codes == whole.codes[:, :columns]).all()
        assert (whole.codes[:, columns:] == NOT_RECORDED).all()
    else:
        assert len(missing) > 10, "most of the maps that would be drawn are missing"
        assert some.step_ms % whole.step_ms == 0
