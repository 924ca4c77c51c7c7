"""Parsing requests and making responses and XML documents."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.http import MAX_HEAD_BYTES, MAX_REQUEST_LINE_BYTES, HttpError, HttpResponse, RequestParser
from punktfunk.gamestream.xml_reply import xml_reply

GET = b"GET /pair?uniqueid=0123&x=a%20b+c&uniqueid=again&empty= HTTP/1.1\r\nHost: h\r\n\r\n"


def parse(data: bytes, chunk: int = 1 << 20) -> object:
    parser = RequestParser()
    for at in range(0, len(data), chunk):
        if request := parser.feed(data[at : at + chunk]):
            return request
    return None


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_request_in_pieces(chunk: int) -> None:
    request = parse(GET, chunk)
    assert request is not None
    assert request.path == "/pair"
    assert request.query == {"uniqueid": "0123", "x": "a b c", "empty": ""}


@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/%2e%2e/etc", "/%252e%252e/", "/..%5c..", "/a%00b", "//host/share", "/\\\\host\\share"],
)
def test_paths_are_never_decoded(path: str) -> None:
    """Routes are exact texts, so traversal has nothing to walk on."""
    request = parse(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    assert request is not None
    assert request.path == path


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /pair HTTP/1.1\r\n\r\n", 405),
        (b"GET /pair\r\n\r\n", 400),
        (b"GET /pair HTTP/2\r\n\r\n", 400),
        (b"GET  /pair HTTP/1.1\r\n\r\n", 400),
        (b"GET http://h/pair HTTP/1.1\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\n: empty\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400),
        (b"GET /pair HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /pair?a=%ff HTTP/1.1\r\n\r\n", 400),
        (b"GET /pair?" + b"&".join(b"%d=" % n for n in range(65)) + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * MAX_REQUEST_LINE_BYTES + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 65 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"\x16\x03\x01" + b"\0" * MAX_HEAD_BYTES, 431),
    ],
)
def test_bad_requests(data: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        parse(data)
    assert caught.value.status == status


def test_pairing_request_of_usual_size_fits() -> None:
    request = parse(b"GET /pair?clientcert=" + b"2d" * 1300 + b" HTTP/1.1\r\n\r\n")
    assert request is not None


def test_endless_request_line_is_cut_off() -> None:
    parser = RequestParser()
    for _ in range(MAX_REQUEST_LINE_BYTES // 1024):
        assert parser.feed(b"a" * 1024) is None
    with pytest.raises(HttpError):
        parser.feed(b"a")


def test_response_closes_the_connection() -> None:
    head, _, body = HttpResponse(b"<root/>").to_bytes().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert "Content-Length: 7" in lines
    assert "Connection: close" in lines
    assert body == b"<root/>"


def test_xml_has_no_white_space_between_elements() -> None:
    reply = xml_reply([("a", "1 < 2")], nested=[("App", [("ID", "3")])], status=503, message='say "no"')
    assert reply.status == 200
    assert reply.body.decode().partition("?>")[2] == (
        '<root status_code="503" status_message=\'say "no"\'><a>1 &lt; 2</a><App><ID>3</ID></App></root>'
    )


@given(st.text())
def test_any_text_makes_a_document_that_parses(text: str) -> None:
    root = ET.fromstring(xml_reply([("a", text)], status=404, message=text, query=text).body)
    assert root.attrib["status_code"] == "404"
