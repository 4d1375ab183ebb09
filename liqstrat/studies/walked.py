"""What a walk forward leaves behind: its windows, the days that no choice had seen, and what they allow to be said."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from liqstrat.backtest.account.results import write_json
from liqstrat.config import RunFile
from liqstrat.held import partial_file
from liqstrat.liquidation.grid import Floats, Ints
from liqstrat.moments import DAY_NS
from liqstrat.research.drawn import Observed, announced
from liqstrat.research.edge import Against, Evidence, Verdict, verdict_on
from liqstrat.research.ledger import read_ledger
from liqstrat.research.luck import DAYS_A_YEAR, deflated, superiority
from liqstrat.research.walk_page import write_walk_page
from liqstrat.studies.checks import KINDS
from liqstrat.studies.judge import returns_of
from liqstrat.studies.trial import Outcome
from liqstrat.studies.windows import Window

_DAY_US = DAY_NS // 1000


@dataclass(frozen=True)
class Step:
    """A window: how many trials there were, the settings chosen and their figures there; what they made in the test,
    and what each control made of it. note: of the model. model: the one fitted to the training, if
    that was asked."""

    window: Window
    trials: int
    settings: dict[str, Any]
    trained: dict[str, Any]
    tested: Outcome | None
    controls: dict[str, Outcome] = field(default_factory=dict)
    note: str = ""
    model: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Walked:
    """All windows of a walk."""

    run: RunFile
    folder: Path
    data_hash: str
    simulated: bool
    steps: list[Step]

    @cached_property
    def stitched(self) -> tuple[Ints, Floats]:
        """Days since 1970, and returns on them, of all tests one after the other."""
        return stitch(step.tested for step in self.steps)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """Of all tests together."""
        days, returns = self.stitched
        grown = np.cumprod(np.concatenate([[1.0], 1 + returns]))
        trained = [_number(step.trained, "net_return") / _length(step.window, train=True) for step in self.steps]
        tested = [_number(_figures(step), "net_return") / _length(step.window, train=False) for step in self.steps]
        kept = sum(tested) / sum(trained) if sum(trained) > 0 else None
        return {
            "net_return": float(grown[-1] - 1),
            "max_drawdown": float(np.max(1 - grown / np.maximum.accumulate(grown))),
            "sharpe_by_day": sharpe_by_day(returns),
            "trades": int(sum(_number(_figures(step), "trades") for step in self.steps)),
            "days": len(days),
            "windows": len(self.steps),
            "windows_won": sum(_number(_figures(step), "net_return") > 0 for step in self.steps),
            "kept_of_training": kept,
        }

    def controls(self, kind: str) -> list[float]:
        """The Sharpe ratios of all tests together, of each control of a kind."""
        found = [sharpe_by_day(np.array(one.returns)) for one in self.stitched_controls(kind)]
        return [0.0 if value is None else value for value in found]

    def stitched_controls(self, kind: str) -> list[Outcome]:
        """Days and returns of all tests one after the other, of each control of a kind."""
        seeds = sorted({name for step in self.steps for name in step.controls if name.startswith(f"{kind} ")})
        found = [stitch(step.controls.get(seed) for step in self.steps) for seed in seeds]
        return [Outcome({}, days.tolist(), returns.tolist()) for days, returns in found]

    def beaten(self, kind: str) -> list[bool]:
        """Whether the walk beats each control of a kind; one that has not traded beats none."""
        own = self.figures["sharpe_by_day"]
        return [own is not None and own > value for value in self.controls(kind)]


def stitch(outcomes: Iterable[Outcome | None]) -> tuple[Ints, Floats]:
    """Days and returns of outcomes that follow each other; what two have on the same day is compounded."""
    made: dict[int, float] = {}
    for outcome in outcomes:
        for day, value in zip(outcome.days, outcome.returns, strict=True) if outcome else ():
            made[day] = (1 + made.get(day, 0.0)) * (1 + (value if np.isfinite(value) else 0.0)) - 1
    days = np.array(sorted(made), dtype=np.int64)
    return days, np.array([made[int(day)] for day in days])


def sharpe_by_day(returns: Floats) -> float | None:
    """Annualised, of daily returns, as the verdict has it; None where they do not change."""
    if len(returns) < 3 or np.ptp(returns) == 0:
        return None
    return float(returns.mean() / returns.std() * np.sqrt(DAYS_A_YEAR))


def judge_walk(walked: Walked, results: Path) -> tuple[Verdict, dict[str, list[float]]]:
    """What the tests allow to be said, and the Sharpe ratios of the controls by their kind.

    The choices had not seen these days; how many ways of walking over them were tried, the ledger knows.
    """
    days, returns = walked.stitched
    walks = read_ledger(results, ["kind", "data_hash", "variant"]).to_pylist()
    tried = {row["variant"] for row in walks if row["kind"] == "walk_forward" and row["data_hash"] == walked.data_hash}
    controls = {kind: walked.controls(kind) for kind in KINDS}
    against = {kind: Against.of(walked.beaten(kind)) if found else None for kind, found in controls.items()}
    evidence = Evidence(
        days=len(days),
        trades=walked.figures["trades"],
        configurations=max(len(tried), 1),
        deflated=deflated(returns, max(len(tried), 1), np.zeros(0)),
        superiority=superiority(returns[:, np.newaxis]) if len(returns) else None,
        random=against["random"],
        placebo=against["placebo"],
    )
    return verdict_on(evidence, announced(_observed(walked, evidence)) if len(days) else None), controls


def _observed(walked: Walked, evidence: Evidence) -> Observed:
    """The days of a walk, which is its own best trial, and of its controls."""
    days, returns = walked.stitched
    made = {kind: walked.stitched_controls(kind) for kind in KINDS}
    found = {
        kind: returns_of([Outcome({}, days.tolist(), returns.tolist()), *one])[1] for kind, one in made.items() if one
    }
    return Observed(
        returns=returns[:, np.newaxis],
        best=0,
        candidates=np.zeros(1, dtype=np.int64),
        configurations=evidence.configurations,
        trades=evidence.trades,
        controls={kind: one[:, 1:] for kind, one in found.items()},
    )


def write_walk(walked: Walked, results: Path) -> None:
    """Write all that a walk leaves behind into its folder."""
    verdict, controls = judge_walk(walked, results)
    days, returns = walked.stitched
    table = pa.table({"day": pa.array(days * _DAY_US).cast(pa.timestamp("us", "UTC")), "return": returns})
    with partial_file(walked.folder / "returns.parquet") as partial:
        pq.write_table(table, partial, compression="zstd")
    content = {
        "study": walked.folder.name,
        "name": walked.run.name,
        "simulated": walked.simulated,
        "symbols": walked.run.symbols,
        "start": walked.run.seen.start.isoformat(),
        "end": walked.run.seen.end.isoformat(),
        "resolution": walked.run.resolution,
        "data_hash": walked.data_hash,
        "walk_forward": walked.run.walk_forward.model_dump(mode="json") if walked.run.walk_forward else {},
        "objective": walked.run.sweep.objective if walked.run.sweep else [],
        "figures": walked.figures,
        "controls": controls,
        "verdict": verdict.to_json(),
        "windows": [_told(step) for step in walked.steps],
        "notes": list(dict.fromkeys(note for step in walked.steps if step.tested for note in step.tested.notes)),
    }
    with partial_file(walked.folder / "walk_forward.json") as partial:
        write_json(partial, content)
    write_walk_page(walked.folder)


def _told(step: Step) -> dict[str, Any]:
    moments = {name: value.isoformat() for name, value in vars(step.window).items() if name != "number"}
    return {
        "number": step.window.number,
        **moments,
        "trials": step.trials,
        "settings": step.settings,
        **({"model": step.model} if step.model else {}),
        "trained": _single(step.trained),
        "tested": _single(_figures(step)),
        "note": step.note or (step.tested.reason if step.tested else ""),
    }


def _figures(step: Step) -> dict[str, Any]:
    return step.tested.figures if step.tested else {}


def _number(figures: dict[str, Any], name: str) -> float:
    return float(figures.get(name) or 0.0)


def _length(window: Window, *, train: bool) -> float:
    """In days."""
    length = window.train_end - window.train_start if train else window.test_end - window.test_start
    return length.total_seconds() / 86_400


def _single(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if not isinstance(value, dict | list | str)}
