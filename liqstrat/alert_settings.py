"""The `[[alerts]]` of a run file: when `liqstrat watch` calls, and where."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from liqstrat.inputs import nanoseconds_of
from liqstrat.sections import Section


def _duration(value: object) -> str:
    nanoseconds_of(value)
    return str(value)


Duration = Annotated[str, BeforeValidator(_duration)]


class AlertSettings(Section):
    """One rule; runs do not look at it.

    when: "near", a cluster of at least `usdt` no farther than the fraction `distance`; "signal", one of `kinds` of at
    least `strength`; "cascade", positions of at least `usdt` really liquidated within `window`. symbols, side: which;
    all where left out. cooldown: least time between two calls for a symbol. Where: `webhook`, which gets JSON; with
    `chat`, as Telegram's sendMessage takes it; or `command`, which gets the JSON as its input. `${NAME}` in an address
    is taken from the environment.
    """

    when: Literal["near", "signal", "cascade"]
    symbols: list[str] | None = None
    side: Literal["long", "short"] | None = None
    distance: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    usdt: Annotated[float, Field(ge=0)] = 0.0
    kinds: tuple[Literal["AVOID", "REVERSAL", "WAIT", "WITH"], ...] = ("REVERSAL", "WITH")
    strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    window: Duration = "1m"
    cooldown: Duration = "30m"
    webhook: str | None = None
    chat: str | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "AlertSettings":
        if (self.webhook is None) == (self.command is None):
            raise ValueError("an alert needs a webhook or a command, one of both")
        if self.webhook is not None and not self.webhook.startswith(("https://", "http://")):
            raise ValueError(f'webhook is "{self.webhook}", expected an address that begins with https://')
        if self.chat is not None and self.webhook is None:
            raise ValueError("chat is for a webhook, expected one")
        if self.when != "signal" and not self.usdt:
            raise ValueError(f'usdt is missing, expected the least size of what "{self.when}" looks for, in USDT')
        return self
