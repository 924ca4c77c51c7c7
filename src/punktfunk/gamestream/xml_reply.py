"""The XML documents of the HTTP API: one root element, no white space between elements (gamestream.md §2.2, §2.6)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from punktfunk.gamestream.http import HttpResponse

Element = tuple[str, str]


def xml_reply(
    elements: Iterable[Element] = (),
    *,
    status: int = 200,
    message: str = "",
    nested: Iterable[tuple[str, Iterable[Element]]] = (),
    query: str = "",
) -> HttpResponse:
    """A document of flat ``elements``, then of ``nested`` ones. The HTTP status is 200 whatever ``status`` says."""
    attributes = f'status_code="{status}"'
    if query:
        attributes += f" query={quoteattr(_legal(query))}"
    if message:
        attributes += f" status_message={quoteattr(_legal(message))}"
    body = "".join(_element(*element) for element in elements)
    for name, children in nested:
        body += f"<{name}>{''.join(_element(*child) for child in children)}</{name}>"
    return HttpResponse(f'<?xml version="1.0" encoding="utf-8"?><root {attributes}>{body}</root>'.encode())


def _element(name: str, value: str) -> str:
    return f"<{name}>{escape(_legal(value))}</{name}>"


def _legal(text: str) -> str:
    """``text`` without what XML 1.0 cannot carry: a single such character makes the whole host look offline."""
    return "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
