import pytest

from se_viz.interventions.edits import mean_of, scale, shuffle
from se_viz.reports.edit_words import OTHER_IMAGE, edits_in_words


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([("SE_5_2", (), 1.0)], "s := 1 in all channels of SE_5_2"),
        ([("SE_5_2", (), -0.5)], "s := −0.5 in all channels of SE_5_2"),
        ([("all", (4,), 0.0)], "s := 0 in channel 4 of all gates"),
        (
            [("SE_4_1", (), "mean"), ("SE_5_2", (450, 3), OTHER_IMAGE), ("SE_4_2", (), "mean")],
            "s := mean in all channels of SE_4_1 and SE_4_2; s := that of a cat in channels 450, 3 of SE_5_2",
        ),
        ([("stage 4", (), mean_of("tench"))], "s := mean of tench in all channels of stage 4"),
        ([("SE_5_2", (), scale(0.5))], "s := 0.5 s in all channels of SE_5_2"),
        ([("SE_5_2", (1,), shuffle(3))], "s := that of another image (shuffled, seed 3) in channel 1 of SE_5_2"),
    ],
)
def test_an_edit_is_named_by_its_value_its_channels_and_its_gates(edits, words):
    assert edits_in_words(edits, "a cat") == words


def test_of_many_channels_the_first_are_listed():
    assert edits_in_words([("SE_5_2", range(25), 0.0)]).endswith("17, 18, 19 and 5 more of SE_5_2")
