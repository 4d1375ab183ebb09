"""What a recording has not: stretches that were lost and that the exchange does not give again."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from liqstrat.live.lines import add_line

NAME = "gaps.txt"


class Gaps:
    """Keeps gaps in a file beside the recordings, one JSON object a line, and tells of each."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.path, self.count = folder / NAME, 0
        self._say = say

    def note(
        self,
        symbol: str,
        kind: str,
        begin: int | None,
        end: int | None,
        reason: str,
        ids: tuple[int, int] | None = None,
    ) -> None:
        """A gap from `begin` to `end` (milliseconds, None where not known); `ids`: the first and last that are gone."""
        entry = {"symbol": symbol, "kind": kind, "from": _shown(begin), "to": _shown(end), "reason": reason}
        if ids:
            entry |= {"first_id": str(ids[0]), "last_id": str(ids[1])}
        self.count += 1
        add_line(self.path, entry)
        what = f"{ids[1] - ids[0] + 1:,} trades" if ids else f"{kind} frames"
        self._say(f"{symbol}: {what} from {entry['from']} to {entry['to']} are missing: {reason}")


def _shown(ms: int | None) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else "?"
