"""A fitted model as the `[model]` block of a run file."""

from collections.abc import Mapping
from pathlib import Path

from liqstrat.held import partial_file
from liqstrat.liquidation.settings import ModelSettings

_KEYS = (
    "bin_width",
    "bin_parts",
    "turnover",
    "unrest",
    "bustle",
    "patience",
    "haste",
    "seed_spread",
    "first_against",
    "taker_weight",
)


def model_block(settings: ModelSettings, remarks: list[str]) -> str:
    """TOML to paste into a run file, with `remarks` as comments above."""
    lines = [f"# {remark}" for remark in remarks]
    lines += ["[model]", f'kind = "{settings.kind}"']
    lines += [f"{key} = {getattr(settings, key):.6g}" for key in _KEYS]
    lines += [f'formula = "{settings.formula}"', f"leverage = {{ {_mix(settings.leverage)} }}"]
    if settings.kind == "ensemble":
        weights = ", ".join(f"{kind} = {weight:g}" for kind, weight in settings.ensemble.items())
        lines += [f"ensemble = {{ {weights} }}", f'large_by = "{settings.large_by}"', f"large = {settings.large:g}"]
    return "\n".join(lines) + "\n"


def write_block(path: Path, text: str) -> None:
    """Write the block; the file appears when it is whole."""
    with partial_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _mix(leverage: Mapping[int, float]) -> str:
    return ", ".join(f"{tier} = {share:.4f}" for tier, share in sorted(leverage.items()))
