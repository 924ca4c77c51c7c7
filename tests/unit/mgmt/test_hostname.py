from hypothesis import given
from hypothesis import strategies as st

from punktfunk.mgmt.hostname import AllowedHosts, host_part, same_origin


@given(st.text(max_size=300))
def test_any_text_is_judged_without_an_error(text):
    part = host_part(text)
    assert part is None or part == part.lower()
    AllowedHosts(["host"]).allows(text)


@given(st.from_regex(r"[a-z0-9.-]{1,40}\.(com|org|example)(:[0-9]{1,5})?", fullmatch=True))
def test_no_foreign_name_is_ours(name):
    assert not AllowedHosts(["host"]).allows(name)


def test_names_and_addresses():
    ours = AllowedHosts(["Living-Room", "tv.home.example", ""])
    for header in ("living-room", "LIVING-ROOM.local:47990", "tv.home.example.", "10.0.0.1", "[fe80::1%25eth0]:1"):
        assert ours.allows(header), header
    for header in ("", "local", ".local", "tv", "home.example", "10.0.0.1.example", "10.0.0.1:x", "[::1]x", "a:b:c"):
        assert not ours.allows(header), header


def test_an_origin_is_ours_with_scheme_host_and_port():
    assert same_origin("https://Host:1", "host:1")
    assert not any(
        same_origin(origin, "host:1") for origin in ("http://host:1", "https://host", "null", "https://host:1/")
    )
