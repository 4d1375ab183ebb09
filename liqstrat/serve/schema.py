"""What answers look like in JSON, for the API's description; a test holds answers against it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Number = float | None


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Health(_Shape):
    status: Literal["ok"]
    version: str
    databases: list[str]
    catalog: str
    results: str


class SymbolThere(_Shape):
    """quote: currency of prices and amounts. contract_size: of an inverse contract, which is that much of `quote`."""

    symbol: str
    simulated: bool
    quote: str
    contract_size: float | None


class Database(_Shape):
    data: str
    symbols: list[SymbolThere]


class Symbols(_Shape):
    databases: list[Database]


class KindThere(_Shape):
    kind: str
    first: datetime
    last: datetime
    rows: int
    days_missing: int
    origin: Literal["simulated", "archive", "unknown"] | str


class DateRange(_Shape):
    symbol: str
    simulated: bool
    kinds: list[KindThere]


class Kline(_Shape):
    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    taker_buy_volume: Number


class Klines(_Shape):
    symbol: str
    simulated: bool
    interval: str
    klines: list[Kline]


class OpenInterestRow(_Shape):
    time: datetime
    contracts: float
    value: Number


class OpenInterest(_Shape):
    symbol: str
    simulated: bool
    open_interest: list[OpenInterestRow]


class FundingRow(_Shape):
    time: datetime
    rate: float


class Funding(_Shape):
    symbol: str
    simulated: bool
    funding: list[FundingRow]


class Calculated(_Shape):
    side: Literal["long", "short"]
    leverage: int
    liquidation_price: Number
    distance: Number
    distance_quote: Number
    loss: Number
    maintenance_rate: float
    maintenance_amount: float
    allowed_leverage: int
    risk: Literal["high", "medium", "low"]


class Calculator(_Shape):
    """Where a position would be liquidated."""

    entry_price: float
    notional: float
    brackets: str
    long_liquidations: list[Calculated]
    short_liquidations: list[Calculated]


class Verdict(BaseModel):
    """Whether the model's maps are any good, and over which time that was judged."""

    words: str
    better: bool
    reason: str
    model_config = ConfigDict(extra="allow")


class MapFacts(_Shape):
    """What any map says of itself. `origin` is SIMULATED or real. data_until: the last open interest on record.

    quote: the currency of prices and of amounts (`notional`).
    """

    symbol: str
    quote: str
    data: str
    model: str
    origin: Literal["SIMULATED", "real"]
    verdict: Verdict
    data_until: datetime
    settings: dict[str, Any]


class OneMap(MapFacts):
    """time: the moment whose knowledge it is. data_age_seconds: from the last open interest by then to that moment.

    seeded_share: the part of the open interest that was open before the history used; where it stands is a guess.
    unplaced: contracts that no price liquidates.
    """

    time: datetime
    data_age_seconds: float
    price: float
    open_interest: float
    seeded_share: float
    unplaced: float
    bin_width: float
    remarks: list[str]


class Level(_Shape):
    """low, high: with a band, the least and the most contracts of the whole bin, all leverages together."""

    side: Literal["long", "short"]
    price_low: float
    price_high: float
    contracts: float
    notional: float
    distance: float
    low: float | None = None
    high: float | None = None


class Levels(OneMap):
    """The estimated map, leverages together."""

    long_liquidations: list[Level]
    short_liquidations: list[Level]


class MapRow(Level):
    leverage: int


class Cluster(_Shape):
    side: Literal["long", "short"]
    price_low: float
    price_high: float
    price: float
    contracts: float
    notional: float
    leverage: dict[str, float]
    age_hours: float
    distance: float
    strength: float
    band: tuple[float, float] | None = None


class BandSum(_Shape):
    """The least and the most of what stands from price up to another one."""

    side: Literal["long", "short"]
    price: float
    notional_low: float
    notional_high: float


class MapBand(_Shape):
    """words: what positions are taken to be like."""

    words: str
    sums: list[BandSum]


class Map(OneMap):
    """The estimated map with all that is in it. band: with a band."""

    clusters: list[Cluster]
    band: MapBand | None
    levels: list[MapRow]


class HeatmapFacts(MapFacts):
    interval: str
    start_time: datetime
    end_time: datetime


class Heatmap(HeatmapFacts):
    """Maps over time as a matrix: `notional[i][j]` is what stands from `price_edges[i]` up to the next, known at
    `times[j]`; prices and open_interest (contracts) have one entry a map."""

    times: list[datetime]
    price_edges: list[float]
    notional: list[list[float]]
    prices: list[float]
    open_interest: list[float]
    largest: float
    remarks: list[str]


class HeatmapRow(_Shape):
    time: datetime
    price_low: float
    price_high: float
    notional: float


class HeatmapSeries(HeatmapFacts):
    price_bin_size: Number
    remarks: list[str]
    rows: list[HeatmapRow]


class Liquidation(_Shape):
    time: datetime
    side: Literal["long", "short"]
    price: float
    contracts: float
    notional: float


class LiquidationSum(_Shape):
    time: datetime
    side: Literal["long", "short"]
    count: int
    contracts: float
    notional: float


class History(_Shape):
    symbol: str
    quote: str
    origin: Literal["SIMULATED", "real"]
    aggregate: str | None
    recorded: int
    left_out: int
    liquidations: list[Liquidation] | list[LiquidationSum]


class Compared(_Shape):
    model: str
    verdict: Verdict
    agreement: dict[str, Number]
    largest: list[Cluster]
    levels: list[Level]


class Comparison(_Shape):
    symbol: str
    quote: str
    data: str
    origin: Literal["SIMULATED", "real"]
    time: datetime
    data_until: datetime
    price: float
    models: list[Compared]


class Signals(_Shape):
    symbol: str
    quote: str
    data: str
    model: str
    origin: Literal["SIMULATED", "real"]
    verdict: Verdict
    data_until: datetime
    time: datetime
    price: float
    rules: dict[str, float]
    signals: list[dict[str, Any]]


class RunRow(BaseModel):
    """A run: what it was, then its figures that are single values."""

    run: str
    name: str
    created: datetime
    simulated: bool
    symbols: list[str]
    start: datetime
    end: datetime
    strategies: list[str]
    tags: list[str]
    note: str
    model_config = ConfigDict(extra="allow")


class Runs(_Shape):
    """`of`: how many there are without the filter. left_out: by folder, why it could not be read. put_aside: what was
    moved away last, which /runs/undo brings back."""

    folder: str
    of: int
    runs: list[RunRow]
    left_out: dict[str, str]
    put_aside: list[str]


class Run(_Shape):
    run: str
    tags: list[str]
    note: str
    about: dict[str, Any]
    metrics: dict[str, Any]


class Rows(_Shape):
    run: str
    name: str
    rows: list[dict[str, Any]]


class Changed(_Shape):
    changed: list[str]


class RunFileText(_Shape):
    """state: what changes with the text."""

    name: str
    text: str
    state: str


class RunFiles(_Shape):
    folder: str
    files: list[RunFileText]


class NewRunFile(_Shape):
    text: str


class Parameter(_Shape):
    name: str
    default: str | None


class Live(_Shape):
    symbols: list[str]


class LiveMarket(_Shape):
    symbol: str
    data: str
    model: str
    verdict: Verdict


class Words(_Shape):
    sections: dict[str, list[str]]
    strategies: dict[str, list[Parameter]]


class Wrong(_Shape):
    """line: counted from one; null where it is not about one."""

    line: int | None
    text: str


class Checked(_Shape):
    errors: list[Wrong]


class Task(_Shape):
    task: str
    done: float
    total: Number
    unit: str


class UnderWay(_Shape):
    tasks: list[Task]


class Job(_Shape):
    id: int
    kind: Literal["run", "events"]
    name: str
    created: datetime
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    tasks: list[Task]
    run: str | None
    study: str | None
    error: str | None


class Jobs(_Shape):
    jobs: list[Job]


class Study(_Shape):
    """best: of a sweep, the trial that is best in the first objective, None where none meets the constraint. figures:
    those of that, or of a walk's tests. An event study has no trials, and what it says as its verdict."""

    study: str
    kind: Literal["sweep", "walk_forward", "events"]
    name: str
    simulated: bool
    symbols: list[str]
    start: datetime
    end: datetime
    objective: list[str]
    trials: int | None = None
    method: str | None = None
    feasible: int | None = None
    windows: int | None = None
    touches: int | None = None
    best: dict[str, Any] | None
    figures: dict[str, Any]
    verdict: dict[str, Any]


class Studies(_Shape):
    studies: list[Study]
    left_out: dict[str, str]
