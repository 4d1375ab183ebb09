"""The book's settings for markets in which all open interest is of holders, as simulated ones and those made for tests
are: it need not wait and see what of it stays, nor tell a rush of other business from theirs."""

from typing import Any

OF_HOLDERS: dict[str, Any] = {"patience": 0.0, "bustle": 1.0}
