"""Flows as a few long arrays, which is how they are kept, and back."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from liqstrat.liquidation.flow import Flow
from liqstrat.liquidation.large import LargeTrades

_OF_FLOW = {"start_ns": np.int64, "end_ns": np.int64, "low": np.float64, "high": np.float64, "close": np.float64}
_OF_GROUP = {"bins": np.int64, "buy": np.bool_, "brackets": np.int64, "contracts": np.float64}
_OF_LARGE = {"bins": np.int64, "buy": np.bool_, "contracts": np.float64}
#: In place of a number of large trades where nobody asked for them.
_NOT_ASKED = -1

Arrays = dict[str, npt.NDArray[Any]]


def flow_arrays(flows: Sequence[Flow]) -> Arrays:
    """One entry a flow, a group or a large trade, in order; `groups` and `large` count those of each flow."""
    asked = [flow.large for flow in flows if flow.large is not None]
    counts = [_NOT_ASKED if flow.large is None else len(flow.large.bins) for flow in flows]
    return {
        "groups": np.array([len(flow.bins) for flow in flows], dtype=np.int64),
        "large": np.array(counts, dtype=np.int64),
        **{name: np.array([getattr(flow, name) for flow in flows], dtype=kind) for name, kind in _OF_FLOW.items()},
        **{name: _joined(flows, name, kind) for name, kind in _OF_GROUP.items()},
        **{f"large_{name}": _joined(asked, name, kind) for name, kind in _OF_LARGE.items()},
    }


def flows_of(arrays: Mapping[str, npt.NDArray[Any]]) -> list[Flow]:
    """The flows that `flow_arrays` was given."""
    groups, large = _rows(arrays["groups"]), _rows(np.maximum(arrays["large"], 0))
    asked = arrays["large"] != _NOT_ASKED
    own = [arrays[name].tolist() for name in _OF_FLOW]
    flows = []
    for rows, large_rows, is_asked, start, end, low, high, close in zip(groups, large, asked, *own, strict=True):
        parts = {name: arrays[name][rows] for name in _OF_GROUP}
        found = LargeTrades(*(arrays[f"large_{name}"][large_rows] for name in _OF_LARGE)) if is_asked else None
        flows.append(Flow(start, end, **parts, low=low, high=high, close=close, large=found))
    return flows


def _joined(parts: Sequence[Any], name: str, kind: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *(getattr(part, name) for part in parts)]).astype(kind, copy=False)


def _rows(counts: npt.NDArray[np.int64]) -> list[slice]:
    bounds = np.concatenate(([0], np.cumsum(counts))).tolist()
    return [slice(first, stop) for first, stop in pairwise(bounds)]
