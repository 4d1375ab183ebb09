import json
from pathlib import Path

from liqstrat.report.cards import cards_html, strategies_html


def test_the_cards_carry_the_run_s_figures(demo_results: Path) -> None:
    metrics = json.loads((demo_results / "metrics.json").read_text())
    html = cards_html(metrics)
    assert f">{metrics['trades']:,}</dd>" in html
    assert metrics["sharpe_sampling"] in html
    assert f"{100 * metrics['max_drawdown']:.2f}%" in html
    for name in ("Net return", "Profit factor", "Exposure", "Fees", "Funding", "Slippage", "Account liquidations"):
        assert name in html


def test_an_undefined_figure_is_a_dash_that_says_why() -> None:
    without_trades = {"trades": 0, "win_rate": None, "sharpe": None, "net_return": 0.0}
    assert 'title="there was no trade">–<' in cards_html(without_trades)
    only_gains = {"trades": 3, "profit_factor": None}
    assert 'title="no trade was closed at a loss">–<' in cards_html(only_gains)


def test_losses_look_like_losses() -> None:
    html = cards_html({"net_return": -0.0123, "funding": 5.0, "account_liquidations": 1, "trades": 2})
    assert '<dd class="loss">−1.23%<' in html
    assert '<dd class="gain">+5.00<' in html
    assert '<dd class="loss">1<' in html


def test_strategies_are_compared_only_where_there_are_several() -> None:
    figures = {"net_return": 0.01, "trades": 4, "profit_factor": None}
    assert strategies_html({"by_strategy": {"fade": figures}}) == ""
    html = strategies_html({"by_strategy": {"<fade>": figures, "magnet": figures}})
    assert "&lt;fade&gt;" in html
    assert html.count("+1.00%") == 2
