import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.data.rejected import MAX_NAME, Refused, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.jpg", "cat.jpg"),
        ("/etc/../home/me/cat.jpg", "cat.jpg"),
        ("C:\\fakepath\\cat.jpg", "cat.jpg"),
        ("folder/", "folder"),
        ("été 🐈.png", "été 🐈.png"),
        ("a\x00b\nc\x1b[31m.png", "abc[31m.png"),
        ("gpj.\u202etac.png", "gpj.tac.png"),
        ("two\u2028lines.png", "twolines.png"),
        ("lone\ud800surrogate.png", "lonesurrogate.png"),
        ("", "unnamed"),
        ("/ \n/", "unnamed"),
    ],
)
def test_a_name_is_shown_without_folders_and_control_characters(name: str, expected: str) -> None:
    assert shown(name) == expected


def test_a_long_name_keeps_its_ending() -> None:
    assert shown("x" * 300 + ".jpeg") == "x" * (MAX_NAME - 6) + "….jpeg"
    assert shown("x." + "y" * 300) == "x." + "y" * (MAX_NAME - 3) + "…"


@given(st.text(st.characters(codec=None)))
def test_any_name_can_be_shown(name: str) -> None:
    result = shown(name)
    assert 1 <= len(result) <= MAX_NAME
    assert not set(result) & set("/\\")
    assert not any(unicodedata.category(c).startswith("C") for c in result)
    assert shown(result) == result
    result.encode()


def test_a_refusal_is_a_sentence_and_survives_the_way_between_processes() -> None:
    refused = pickle.loads(pickle.dumps(Refused("cat.jpg", "it is empty; choose the file again")))  # noqa: S301
    assert str(refused) == "cat.jpg was left out: it is empty; choose the file again."
    assert (refused.name, refused.reason) == ("cat.jpg", "it is empty; choose the file again")
