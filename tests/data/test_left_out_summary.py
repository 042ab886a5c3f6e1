import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.data.left_out_summary import reasons, summing_up
from se_viz.data.rejected import Refused


def refused(name, reason):
    return str(Refused(name, reason))


def test_many_files_are_summed_up_by_reason_those_of_most_files_first():
    sentences = [refused("a.jpg", "it is empty; choose the file again")]
    sentences += [
        refused(f"{index}.xml", "it is not an image, or its first bytes are damaged; save it") for index in range(898)
    ]
    sentences += [refused("b.heic", "it is a HEIC photo; save it as JPEG")]
    assert summing_up(sentences) == (
        "900 files were left out: 898 are not images, or their first bytes are damaged (XML); 1 is empty (JPG); "
        "1 is a HEIC photo (HEIC)."
    )
    assert [len(reason.names) for reason in reasons(sentences)] == [898, 1, 1]


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (["it is the same file as a.jpg", "it is the same file as b.jpg"], "they are the same file as another"),
        (["it is 3 × 2 pixels; choose", "it is 1 × 9 pixels; choose"], "they are too small"),
        (["it is not a regular file; check the path"] * 2, "they are not regular files"),
        (["it is a ZIP archive or an office document; save"] * 2, "they are each a ZIP archive or an office document"),
        (["it holds more than 1,000 files; split it"] * 2, "they hold more than 1,000 files"),
        (["one side is more than 20 times the other; cut"] * 2, "one side is more than 20 times the other"),
    ],
)
def test_what_is_said_of_each_is_said_of_all(each, said):
    sentences = [refused(f"{index}.jpg", reason) for index, reason in enumerate(each)]
    assert summing_up(sentences).removesuffix(".").removesuffix(" (JPG)") == f"2 files were left out: {said}"


def test_of_many_reasons_the_rarest_are_only_counted():
    sentences = [refused(f"{row}{column}.gif", f"reason {row}") for row in range(6) for column in range(7 - row)]
    assert summing_up(sentences).endswith("4 (GIF): reason 3; 5 for other reasons.")


def test_notes_that_are_on_no_single_file_are_kept():
    sentences = ["836 files of TIFF were left out of the folder."] + [refused("a.xml", "it is empty")] * 5
    assert summing_up(sentences) == f"5 files were left out: they are empty (XML). {sentences[0]}"
    notes = [f"Some s of SE_2_{index} were above 8." for index in range(10)]
    assert summing_up(notes) == f"{notes[0]} There are 9 more notes like this one."


@given(st.lists(st.text(), min_size=1))
def test_any_sentences_can_be_summed_up(sentences):
    assert 0 < len(summing_up([*sentences, refused("a", "it is empty")])) < 2000 + sum(map(len, sentences))
