"""What is said of a fitted mixture of models, in words, as JSON and as a block to paste."""

import json
import tomllib

import pytest

from liqstrat.cli.calibrate import mixture_block, mixture_text, print_mixture
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.scoring.intervals import Estimate
from liqstrat.scoring.mixture import Mixture

WEIGHTS = {"conserving": 0.75, "oi_candle": 0.25}
MIXED = ModelSettings(kind="ensemble", ensemble=WEIGHTS)


def found(gain: Estimate, settings: ModelSettings = MIXED) -> Mixture:
    return Mixture(WEIGHTS, "conserving", gain, 20, settings)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Estimate(0.2, 0.1, 0.3), "+0.200 bits per liquidated contract (+0.100 to +0.300) over conserving alone"),
        (Estimate(0.2, 0.1, 0.3), "on 20 later days: the mixture is recommended."),
        (Estimate(0.2, -0.1, 0.5), "on 20 later days: no better than chance could do, conserving is recommended."),
        (Estimate(0.2), "20 later days are too few to judge a mixture by: conserving alone is recommended."),
        (Estimate(None), "20 later days are too few to judge a mixture by: conserving alone is recommended."),
    ],
)
def test_the_gain_decides_what_is_recommended(gain: Estimate, said: str) -> None:
    assert said in mixture_text(found(gain))


def test_the_block_has_the_weights_and_the_reason() -> None:
    block = mixture_block("BTCUSDT", found(Estimate(0.2, 0.1, 0.3)))
    assert tomllib.loads(block)["model"]["ensemble"] == WEIGHTS
    assert block.startswith("# BTCUSDT: weights of a mixture.\n# +0.200 bits")


def test_it_is_printed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    mixture = found(Estimate(0.2, 0.1, 0.3))
    print_mixture("BTCUSDT", mixture, simulated=True, json=False)
    printed = capsys.readouterr().out
    assert "BTCUSDT SIMULATED: mixture of models" in " ".join(printed.split())
    assert ["conserving", "0.750"] in [line.split() for line in printed.splitlines()]
    assert printed.endswith(mixture_block("BTCUSDT", mixture))
    print_mixture("BTCUSDT", mixture, simulated=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["better"], told["simulated"], told["weights"]) == (True, True, WEIGHTS)
