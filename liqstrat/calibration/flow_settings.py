"""Turnover and taker weight, by the likelihood of liquidations over a few values of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from liqstrat.calibration.evidence import History, gather
from liqstrat.calibration.maximum import maximum
from liqstrat.calibration.posterior import Level, Posterior
from liqstrat.calibration.sizes import SizeClass, class_of
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.liquidation.liquidations import Liquidations
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.progress import SILENT, Progress

#: Values tried, as multiples of the setting's.
_FACTORS = (0.5, 1.0, 2.0)
#: Half the 95 % point of chi-squared with one degree of freedom, in nats; and how much better another value must be to
#: take the place of the default, which was chosen where all positions are known.
_POSSIBLE, _CLEAR = 1.92, 6.0


@dataclass(frozen=True)
class Setting:
    """A setting by profile likelihood over a few values: the value to take, and the lowest and highest tried that the
    data do not rule out. The value is the default's unless another is far more likely."""

    name: str
    value: float
    low: float
    high: float
    tried: tuple[float, ...]

    @property
    def told(self) -> bool:
        """Whether the data rule out any value that was tried."""
        return (self.low, self.high) != (self.tried[0], self.tried[-1])


def fit_flow_settings(
    history: History,
    liquidations: Liquidations,
    classes: Sequence[SizeClass],
    settings: ModelSettings,
    tiers: Ints,
    shares: Floats,
    level: Level,
    overdispersion: float,
    since_ns: int,
    progress: Progress = SILENT,
) -> list[Setting]:
    """Try other values of `turnover` and `taker_weight` with the mix of `settings`, one at a time.

    The smallest positions alone are looked at: they are most of the liquidations.
    """
    found: dict[tuple[str, float], float] = {}
    names = ("turnover", "taker_weight")
    variants = [(name, getattr(settings, name) * factor) for name in names for factor in _FACTORS]
    smallest = classes[:1]
    chosen = liquidations.only(class_of(classes, liquidations.price, liquidations.contracts) == 0)
    usual: float | None = None
    with progress.task("turnover and taker weight", total=len(variants) - 1, unit="books") as done:
        for name, value in variants:
            default = value == getattr(settings, name)
            if default and usual is not None:
                found[name, value] = usual
                continue
            evidence = gather(history, chosen, smallest, changed(settings, name, value), since_ns)
            posterior = Posterior(evidence, tiers, shares, level, overdispersion)
            point = maximum(posterior.value, posterior.gradient, posterior.start())
            found[name, value] = posterior.value(point)
            usual = found[name, value] if default else usual
            done(1)
    return [_setting(name, getattr(settings, name), found) for name in names]


def changed(settings: ModelSettings, name: str, value: float) -> ModelSettings:
    """The settings with another value of `turnover` or `taker_weight`."""
    if name == "turnover":
        return replace(settings, turnover=value)
    return replace(settings, taker_weight=value)


def _setting(name: str, default: float, found: dict[tuple[str, float], float]) -> Setting:
    values = {value: likelihood for (of, value), likelihood in sorted(found.items()) if of == name}
    best = max(values, key=lambda value: values[value])
    possible = [value for value, likelihood in values.items() if likelihood > values[best] - _POSSIBLE]
    return Setting(
        name, default if values[default] > values[best] - _CLEAR else best, min(possible), max(possible), tuple(values)
    )
