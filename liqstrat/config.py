"""What a run is made of, as typed and checked values; `run_file` reads them."""

from datetime import datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from liqstrat.alert_settings import AlertSettings
from liqstrat.errors import did_you_mean
from liqstrat.inputs import DEFAULT_CATALOG, DEFAULT_DATABASE, local_path, minutes_of, parse_time
from liqstrat.liquidation.contract import contract_of, replayable
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.sections import Section
from liqstrat.study_settings import HoldoutSettings, SweepSettings, WalkForwardSettings

Resolution = Literal["tick", "1m", "5m", "15m", "1h"]
#: Maps that are recorded of a run where it does not say how often: more than a page shows are of no use.
_MOST_MAPS = 9000


def _length(value: object) -> str:
    minutes_of(str(value))
    return str(value)


def _finite(params: dict[str, Any]) -> dict[str, Any]:
    """nan is neither too small nor too large: it would pass whatever a strategy asks for."""
    for name, value in params.items():
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{name} is {value}, expected a finite number")
    return params


Moment = Annotated[datetime, BeforeValidator(parse_time)]
LocalPath = Annotated[Path, BeforeValidator(lambda value: str(local_path(value)))]
ReplayedSymbol = Annotated[str, BeforeValidator(replayable)]
Length = Annotated[str, BeforeValidator(_length)]


class DataSettings(Section):
    """Where the history lies, and how much of it before the run fills the book.

    allow_files: folders that views of the database may read, as Parquet beside it.
    """

    db: LocalPath = DEFAULT_DATABASE
    catalog: LocalPath = DEFAULT_CATALOG
    warmup_days: Annotated[int, Field(ge=0, le=365)] = 14
    allow_files: list[LocalPath] = Field(default_factory=list)


class VenueSettings(Section):
    """The account and what trading costs; rates are shares of notional.

    depth_share: part of the volume recently traded that is taken to rest in the book (see `backtest.costs.depth`).
    touch_share: part of what prints at the price of a resting limit order that fills it; traded through, all of it.
    participation: most of an entry, as a share of what the last 15 minutes that traded have traded.
    """

    balance: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    leverage: Annotated[int, Field(ge=1, le=125)] = 10
    maker_fee: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.01"))] = Decimal("0.0002")
    taker_fee: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.01"))] = Decimal("0.0005")
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 50
    funding: bool = True
    depth: bool = True
    depth_share: Annotated[float, Field(gt=0, le=10)] = 0.1
    touch_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    participation: Annotated[float, Field(gt=0, le=1)] = 0.1
    liquidation: bool = True


class StrategySettings(Section):
    """One strategy: `use` is a short name of the package or `module:Class`; `params` are the strategy's own."""

    use: str
    params: Annotated[dict[str, Any], AfterValidator(_finite)] = Field(default_factory=dict)
    symbols: list[str] | None = None


class ReportSettings(Section):
    """How the results are recorded and shown.

    levels_every: how often a map is recorded; left out, every 15 minutes, and less often in a run of many months.
    """

    title: str = ""
    levels_every: Length | None = None
    span: Annotated[float, Field(gt=0, le=0.9)] = 0.2


class ModelFile(Section):
    """A file with nothing but a model, as a calibration writes it, and maybe alerts."""

    model: ModelSettings
    alerts: tuple[AlertSettings, ...] = ()


class RunFile(Section):
    """One run: what is replayed, with which model and venue, and who trades.

    resolution: "tick" replays single trades; a length replays minute bars, and calls `on_price` once in that length:
    "5m" slows decisions, not the market, which meets orders minute by minute. Maps are the same at every resolution
    where the database has trades, and `on_levels` is called once for each.
    band: levels tell between which bounds what stands there may lie (`Cluster.low`, `Cluster.high`), by books of other
    settings beside the model's, which take their time.
    control: "placebo" shows strategies levels of other times in place of today's (see `liquidation.placebo`), by chance
    from `control_seed`.
    sweep, walk_forward, holdout: what is done with many runs like this one; alerts: when a watched market calls.
    They shape no single run, and nothing of them is kept with one.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    symbols: Annotated[list[ReplayedSymbol], Field(min_length=1)]
    start: Annotated[Moment, Field(alias="from")]
    end: Annotated[Moment, Field(alias="to")]
    resolution: Resolution = "tick"
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    venue: VenueSettings = VenueSettings()
    strategies: Annotated[list[StrategySettings], Field(min_length=1)]
    report: ReportSettings = ReportSettings()
    band: Annotated[bool, Field(exclude_if=lambda value: not value)] = False
    control: Annotated[Literal["placebo"] | None, Field(exclude_if=lambda value: value is None)] = None
    control_seed: Annotated[int, Field(ge=0, lt=2**32, exclude_if=lambda value: value == 1)] = 1
    sweep: Annotated[SweepSettings | None, Field(exclude=True)] = None
    walk_forward: Annotated[WalkForwardSettings | None, Field(exclude=True)] = None
    holdout: Annotated[HoldoutSettings | None, Field(exclude=True)] = None
    alerts: Annotated[tuple[AlertSettings, ...], Field(exclude=True)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "RunFile":
        if self.end <= self.start:
            start, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in (self.start, self.end))
            raise ValueError(f"to is {end}, expected a time after from ({start})")
        for key, moment in (("from", self.start), ("to", self.end)):
            if self.bar_minutes is not None and (moment.second or moment.microsecond):
                raise ValueError(
                    f"{key} is {moment:%Y-%m-%d %H:%M:%S.%f}, expected a whole minute with bars: "
                    "what bars say is known when they close"
                )
        if self.band and self.model.kind != "conserving":
            raise ValueError(f'band is true, expected false: only kind "conserving" has one, not "{self.model.kind}"')
        if self.band and self.control is not None:
            raise ValueError("band is true, expected false with a control: levels of other times have none")
        quotes = {symbol: contract_of(symbol).quote for symbol in self.symbols}
        if len(set(quotes.values())) > 1:
            told = ", ".join(f"{symbol} in {quote}" for symbol, quote in quotes.items())
            raise ValueError(f"symbols pay in different currencies ({told}), expected those of one account")
        if self.holdout is not None and self.start + self.holdout.last >= self.end:
            raise ValueError(f"holdout is as long as the run, which has {self.end - self.start}")
        for strategy in self.strategies:
            for symbol in strategy.symbols or []:
                if symbol not in self.symbols:
                    raise ValueError(
                        f'strategy {strategy.use} trades "{symbol}", expected one of the run\'s symbols: '
                        f"{', '.join(self.symbols)}{did_you_mean(symbol, self.symbols)}"
                    )
        return self

    @property
    def quote(self) -> str:
        """The currency of the account, and of prices: that which the symbols are quoted in."""
        return contract_of(self.symbols[0]).quote

    @property
    def seen(self) -> "RunFile":
        """The run less what is held out at its end, for which see `held_out`."""
        return self if self.holdout is None else self.during(self.start, self.end - self.holdout.last)

    @property
    def held_out(self) -> "RunFile | None":
        """The run over what is held out, if anything."""
        return None if self.holdout is None else self.during(self.end - self.holdout.last, self.end)

    def during(self, start: datetime, end: datetime) -> "RunFile":
        """The same run over another time, with nothing held out."""
        return self.model_copy(update={"start": start, "end": end, "holdout": None})

    @property
    def levels_minutes(self) -> int:
        """Minutes between recorded maps."""
        if self.report.levels_every is not None:
            return minutes_of(self.report.levels_every)
        length = (self.end - self.start).total_seconds() / 60
        return next((minutes for minutes in (15, 60, 240) if length / minutes <= _MOST_MAPS), 1440)

    @property
    def bar_minutes(self) -> int | None:
        """Length of the replayed bars in minutes; None where single trades are replayed."""
        return None if self.resolution == "tick" else minutes_of(self.resolution)
