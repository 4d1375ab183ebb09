"""Figures as plain dictionaries: what a page gets is what Plotly takes."""

import json
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from liqstrat.report import write_report
from liqstrat.report.spec import merged, panes, spec_of, to_json


def test_every_figure_of_a_report_is_one_that_plotly_takes(results: Path) -> None:
    page = write_report(results).read_text(encoding="utf-8")
    specs = re.findall(r'<script type="application/json" id="spec-[^"]+">(.*?)</script>', page, re.DOTALL)
    assert len(specs) >= 3
    for text in specs:
        spec = json.loads(text)
        assert spec["layout"]["template"] == {}, "none of Plotly's looks"
        assert len(go.Figure(spec).data) == len(spec["data"]) > 0


def test_a_key_that_plotly_does_not_know_would_be_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        go.Figure(spec_of([{"type": "bar", "marker": {"colour": "red"}}], height=100, simulated=False))


def test_what_is_set_lies_over_the_common_look_and_leaves_it_as_it_was() -> None:
    first = spec_of([], height=100, simulated=False, yaxis={"title": {"text": "share"}})["layout"]
    second = spec_of([], height=200, simulated=True, yaxis2={"side": "right"}, annotations=[{"text": "a"}])["layout"]
    assert first["yaxis"]["title"]["text"] == "share"
    assert first["yaxis"]["title"]["font"] == second["yaxis2"]["title"]["font"]
    assert "text" not in second["yaxis"]["title"]
    assert ["SIMULATED" in one["text"] for one in second["annotations"]] == [False, True]
    assert merged({"a": {"b": 1}}, {"a": {"c": 2}, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}


def test_arrays_can_be_read_back() -> None:
    floats, bytes_ = np.array([1.5, np.nan, -2.0]), np.arange(6, dtype=np.uint8).reshape(2, 3)
    spec = spec_of([{"type": "heatmap", "x": floats, "z": bytes_}], height=100, simulated=False)
    trace = json.loads(to_json(spec))["data"][0]
    assert trace["x"]["dtype"] == "f8"
    assert (trace["z"]["dtype"], trace["z"]["shape"]) == ("u1", "2, 3")
    taken = go.Figure({"data": [trace]}).data[0]
    assert taken.z["bdata"] == trace["z"]["bdata"]


def test_no_text_ends_a_script_and_what_is_no_number_is_null() -> None:
    text = to_json({"data": [{"text": ["</script>"], "y": [1.0, float("nan"), float("inf")]}], "layout": {}})
    assert "<" not in text
    assert json.loads(text)["data"] == [{"text": ["</script>"], "y": [1.0, None, None]}]


def test_what_a_page_cannot_hold_is_named() -> None:
    with pytest.raises(TypeError, match="a figure cannot hold set"):
        to_json({"data": [{"x": {1}}], "layout": {}})


def test_panes_fill_the_height_from_above() -> None:
    assert panes((1, 1), 0.1) == [[pytest.approx(0.55), 1.0], [pytest.approx(0.0), pytest.approx(0.45)]]
