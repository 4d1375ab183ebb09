"""What a format of JSON is: a layout, and how to get the values of its columns out of an entry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from liqstrat.market.archive.layout import Layout

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """values: those of an entry, None where it is no such entry; a list of them where one tells of `several` rows."""

    name: str
    layout: Layout
    values: Callable[[Any], Any]
    several: bool = False

    def rows(self, entry: Any) -> Sequence[Values] | None:
        """The values of each row that an entry tells of."""
        found = self.values(entry)
        if found is None:
            return None
        several: Sequence[Values] = found if self.several else [found]
        return several
