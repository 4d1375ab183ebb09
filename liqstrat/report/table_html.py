"""A table on a page, in a frame that scrolls where there is no room for it."""

from collections.abc import Iterable
from html import escape


def table_html(heads: Iterable[str], rows: str | Iterable[str], kind: str = "") -> str:
    """The table under `heads`, names as they are (not HTML); a star before one says that its column is text.

    rows: the HTML of each, or of all. kind: the class that a page's own style knows the table by.
    """
    cells = "".join(f"<th{TEXT if head[:1] == '*' else ''}>{escape(head.removeprefix('*'))}</th>" for head in heads)
    named = f' class="{kind}"' if kind else ""
    body = rows if isinstance(rows, str) else "".join(rows)
    table = f"<table{named}><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


#: Of a cell whose content is text, not a number.
TEXT = ' class="text"'
