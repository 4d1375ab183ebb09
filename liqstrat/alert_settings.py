"""The `[[alerts]]` of a run file: when `liqstrat watch` calls, and where."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from liqstrat.inputs import nanoseconds_of
from liqstrat.sections import Section


def _duration(value: object) -> str:
    nanoseconds_of(value)
    return str(value)


def _symbol(name: str) -> str:
    if name != name.upper():
        raise ValueError(f'"{name}" is no symbol (did you mean "{name.upper()}"?)')
    return name


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} has a character that no command takes")
    return text


def require_address(text: str) -> None:
    """Raise `ValueError` where that is no address to post to."""
    parts = urlsplit(text)
    labels = (parts.hostname or "").split(".")
    # Asking for the port looks whether it is one.
    if parts.scheme not in ("http", "https") or parts.port == 0 or not all(0 < len(label) < 64 for label in labels):
        raise ValueError("no address")
    if not text.isprintable() or " " in text:
        raise ValueError("no address")


Duration = Annotated[str, BeforeValidator(_duration)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Argument = Annotated[str, AfterValidator(_argument)]


class AlertSettings(Section):
    """One rule; runs do not look at it.

    when: "near", a cluster of at least `notional` (in the currency of prices) no farther than the fraction `distance`;
    "signal", one of `kinds` of at least `strength`; "cascade", positions of at least `notional` really liquidated
    within `window`. symbols, side: which; all where left out. cooldown: least time between two calls for a symbol.
    Where: `webhook`, which gets JSON; with `chat`, as Telegram's sendMessage takes it; or `command`, which gets the
    JSON as its input. `${NAME}` in an address is taken from the environment.
    """

    when: Literal["near", "signal", "cascade"]
    symbols: Annotated[list[Symbol], Field(min_length=1)] | None = None
    side: Literal["long", "short"] | None = None
    distance: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    notional: Annotated[float, Field(ge=0)] = 0.0
    kinds: Annotated[tuple[Literal["AVOID", "REVERSAL", "WAIT", "WITH"], ...], Field(min_length=1)] = (
        "REVERSAL",
        "WITH",
    )
    strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    window: Duration = "1m"
    cooldown: Duration = "30m"
    webhook: str | None = None
    chat: str | None = None
    command: Annotated[list[Argument], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "AlertSettings":
        if (self.webhook is None) == (self.command is None):
            raise ValueError("an alert needs a webhook or a command, one of both")
        if self.webhook is not None:
            self._require_webhook(self.webhook)
        if self.command is not None and not self.command[0]:
            raise ValueError("command begins with nothing, expected the name of a program")
        if self.chat is not None and self.webhook is None:
            raise ValueError("chat is for a webhook, expected one")
        if self.when != "signal" and not self.notional:
            raise ValueError(f'notional is missing, expected the least size of what "{self.when}" looks for, as 20e6')
        return self

    def _require_webhook(self, webhook: str) -> None:
        if "${" in webhook:
            # What the environment has is looked at when the alerts begin.
            return
        try:
            require_address(webhook)
        except ValueError:
            raise ValueError(f'webhook is "{webhook}", expected an address as https://example.org/hook') from None
