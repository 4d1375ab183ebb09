"""Models judged on simulated markets."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liqstrat.cli.options import Json, names, parsed, seeds
from liqstrat.cli.program import out, progress
from liqstrat.cli.text import new_table, print_json
from liqstrat.errors import did_you_mean

if TYPE_CHECKING:
    from liqstrat.bench.judge import Verdict
    from liqstrat.liquidation.agreement import Agreement


def bench_model(
    regimes: Annotated[
        Any, typer.Option(parser=parsed(names), metavar="LIST", help="Kinds of simulated market; default all.")
    ] = None,
    seeds: Annotated[
        Any, typer.Option(parser=parsed(seeds), metavar="LIST", help="Seeds; 1 and 2 were used to choose settings.")
    ] = "11,12",
    days: Annotated[int, typer.Option(min=2, max=60, help="Days a market; the second half is judged.")] = 7,
    json: Json = False,
) -> None:
    """Judge every model on simulated markets, where all positions are known.

    Example: liqstrat bench-model --regimes usual,thin --seeds 11
    """
    from liqstrat.bench.judge import MODELS, judge
    from liqstrat.bench.regimes import REGIMES

    for name in regimes or ():
        if name not in REGIMES:
            known = ", ".join(REGIMES)
            raise typer.BadParameter(f'there is no regime "{name}"{did_you_mean(name, REGIMES)}; expected of {known}')
    verdicts = judge(MODELS, regimes or tuple(REGIMES), seeds, days=days, progress=progress)
    print_verdicts(verdicts, json=json)


def print_verdicts(verdicts: Sequence["Verdict"], *, json: bool) -> None:
    if json:
        print_json([{**asdict(verdict), "simulated": True} for verdict in verdicts])
        return
    table = new_table(
        "Agreement with the true map (SIMULATED markets): rank correlation, linear correlation, overlap",
        ("model", "regime", "seeds", "agreement", "share of the bound", "of the strict bound", "lowest share"),
    )
    models = list(dict.fromkeys(v.model for v in verdicts))
    regimes = list(dict.fromkeys(v.regime for v in verdicts))
    for model in models:
        own = [v for v in verdicts if v.model == model]
        rows = [(regime, [v for v in own if v.regime == regime]) for regime in regimes]
        for regime, these in [*rows, ("mean", own)] if len(regimes) > 1 else rows:
            columns = ([v.agreement for v in these], [v.share for v in these], [v.strict_share for v in these])
            lowest = min(figure for v in these for figure in _three(v.share))
            table.add_row(model, regime, str(len(these)), *(_means_text(column) for column in columns), f"{lowest:.2f}")
    out.print(table)
    out.print(
        "Bound: side, entry and size of every position known, leverage only by the mix. "
        "Strict bound: also which leverages price has run through since each position opened."
    )


def _three(agreement: "Agreement") -> tuple[float, float, float]:
    return agreement.rank, agreement.linear, agreement.overlap


def _means_text(agreements: Sequence["Agreement"]) -> str:
    return "  ".join(f"{sum(column) / len(column):.2f}" for column in zip(*map(_three, agreements), strict=True))
