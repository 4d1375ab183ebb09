"""Remarks are told at once, or with the results that tell them, never twice and never not at all."""

import pytest

from liqstrat import remarks
from liqstrat.remarks import remark, told_with_results


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(remarks, "_listeners", [said.append])
    return said


def test_what_results_tell_is_not_told_before_them(heard: list[str]) -> None:
    with told_with_results() as told:
        remark("rests on candles", in_results=True)
        remark("left out", in_results=True)
        remark("waiting for another process")
        assert heard == ["waiting for another process"]
        told(["rests on candles", "another note"])
    assert heard == ["waiting for another process", "left out"]


def test_where_there_are_no_results_it_is_told_all_the_same(heard: list[str]) -> None:
    def stopped() -> None:
        with told_with_results():
            remark("rests on candles", in_results=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    remark("later", in_results=True)
    assert heard == ["rests on candles", "later"]
