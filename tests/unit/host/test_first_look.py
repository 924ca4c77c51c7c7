import io
import json

from punktfunk.host.first_look import setup_block, show_setup_link

LINK = "https://192.0.2.1:47990/setup#" + "x" * 43


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_link_and_a_code_that_fits_it():
    output = Terminal()
    show_setup_link(LINK, output, "text")
    text = output.getvalue()
    assert f"\n  {LINK}\n" in text
    code = text.partition(LINK)[2]
    assert "█" in code or "▀" in code
    assert len(code.splitlines()) <= 24


def test_a_log_gets_the_link_alone():
    output = io.StringIO()
    show_setup_link(LINK, output, "text")
    assert output.getvalue() == setup_block(LINK, with_code=False)


def test_a_json_log_stays_json():
    output = Terminal()
    show_setup_link(LINK, output, "json")
    assert json.loads(output.getvalue())["setup_link"] == LINK
