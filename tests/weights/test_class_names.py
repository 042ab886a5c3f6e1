import json

import pytest

from se_viz.weights.class_names import read_classes
from se_viz.weights.errors import WeightsRefused

NAMES = ("cat", "dog", "great crested newt")


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\ngreat crested newt\n",
        "\ufeffcat\r\ndog\r\ngreat crested newt\r\n",
        json.dumps(NAMES),
        json.dumps({"0": "cat", "2": NAMES[2], "1": "dog"}),
        json.dumps({"0": ["n1", "cat"], "1": ["n2", "dog"], "2": ["n3", NAMES[2]]}),
        json.dumps({"dog": 1, "cat": 0, NAMES[2]: 2}),
    ],
)
def test_names_come_in_the_order_of_the_logits(text, tmp_path):
    assert read_classes(text.encode()) == NAMES
    (tmp_path / "classes").write_bytes(text.encode())
    assert read_classes(tmp_path / "classes") == NAMES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"cat\n\ndog", "empty lines"),
        (b"\xff\xfe", "neither UTF-8 text nor JSON"),
        (b"[1, 2", "neither UTF-8 text nor JSON"),
        (b"[" * 100_000, "neither UTF-8 text nor JSON"),
        (b"[1, 2]", "must be a list of names"),
        (b"[[]]", "must be a list of names"),
        (b"{}", "must be a list of names"),
        (b'{"0": "cat", "2": "dog"}', "not numbered from 0 to 1"),
        (b'{"cat": 1, "dog": 2}', "not numbered from 0 to 1"),
        (b"x" * 4_000_001, "is 4 MB; the limit is 4 MB"),
    ],
)
def test_what_is_no_list_of_names_is_refused(content, said):
    with pytest.raises(WeightsRefused, match=said):
        read_classes(content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsRefused, match="cannot be read: No such file"):
        read_classes(tmp_path / "none")
