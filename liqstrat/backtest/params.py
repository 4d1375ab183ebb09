"""Parameters of strategies, checked before a run starts."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liqstrat.errors import LiqstratError, did_you_mean

if TYPE_CHECKING:
    from liqstrat.backtest.strategy import LevelStrategy


class StrategyParams(BaseModel):
    """Parameters every strategy has; a strategy's own ones are added in a subclass.

    risk: share of the account's equity that is lost when a stop is hit, before costs.
    risk_with_costs: count the taker's fees of entry and stop into that loss.
    decide_seconds: market time between two calls of `on_price`; with bars it is called once a bar.
    stale_seconds: market time without a print after which `enter` refuses.
    ask_always: call `on_price` each time, whatever was said by `rest`: results are the same if that was true.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    risk: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    risk_with_costs: bool = False
    decide_seconds: Annotated[float, Field(ge=0.1, le=86_400)] = 5.0
    stale_seconds: Annotated[float, Field(gt=0)] = 120.0
    ask_always: bool = False


def make_params(strategy: "type[LevelStrategy]", use: str, values: dict[str, Any]) -> StrategyParams:
    """Checked parameters of a strategy; `LiqstratError` names each wrong one and the nearest right name."""
    try:
        return strategy.Params.model_validate(values)
    except ValidationError as error:
        known = list(strategy.Params.model_fields)
        raise LiqstratError("\n".join(_explain(use, found, known) for found in error.errors())) from None


def _explain(use: str, found: Any, known: list[str]) -> str:
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return (
            f'strategy {use}: unknown parameter "{name}"{did_you_mean(name, known)}; expected one of {", ".join(known)}'
        )
    if found["type"] == "missing":
        return f'strategy {use}: parameter "{name}" is missing'
    reason = found["msg"].removeprefix("Value error, ")
    return f"strategy {use}: {name or 'params'} is {found['input']!r}: {reason[:1].lower()}{reason[1:]}"
