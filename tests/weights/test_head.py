from collections import OrderedDict

import numpy as np
import pytest
import torch
from torchvision.models import GoogLeNetOutputs

from se_viz.analysis.head_sentences import meaning
from se_viz.weights.head import Head, HeadMismatch, NoPredictions, as_logits, expected_outputs, fit, fit_output
from se_viz.weights.output_shape import columns, describe_output, table

LOGITS = np.random.default_rng(0).normal(scale=3, size=(6, 4)).astype(np.float32)


def test_probabilities_are_those_of_torch():
    tensor = torch.from_numpy(LOGITS).double()
    np.testing.assert_allclose(Head("classes").probabilities(LOGITS), tensor.softmax(1).numpy())
    np.testing.assert_allclose(Head("labels").probabilities(LOGITS), tensor.sigmoid().numpy())
    yes = tensor[:, :1].sigmoid().numpy()
    np.testing.assert_allclose(Head("binary").probabilities(LOGITS[:, :1]), np.hstack([1 - yes, yes]))


@pytest.mark.parametrize(("threshold", "groups"), [(0.5, [0, 1, 1]), (0.8, [0, 0, 1]), (0.2, [1, 1, 1])])
def test_a_binary_head_says_yes_from_its_threshold_on(threshold, groups):
    logits = np.array([[-1.0], [1.0], [3.0]])  # σ: 0.27, 0.73, 0.95
    assert Head("binary", threshold).group(logits) == groups


def test_at_the_threshold_it_holds():
    assert Head("binary").group(np.zeros((1, 1))) == [1]
    assert Head("labels").group(np.zeros((1, 2))) == [0]


def test_of_labels_an_image_counts_as_the_most_probable_or_as_none():
    logits = np.array([[2.0, 3.0, -1.0], [-1.0, -2.0, -3.0]])
    head = Head("labels")
    assert head.group(logits) == [1, 3]
    assert head.groups(("sea", "sky", "sun"))[3] == "no label"
    assert Head("labels", 0.2).group(logits) == [1, 0]


@pytest.mark.parametrize("kind", ["classes", "binary", "labels"])
def test_nan_is_in_no_group(kind):
    logits = np.array([[np.nan, 1.0], [0.0, 1.0]])[:, : 1 if kind == "binary" else 2]
    assert Head(kind).group(logits)[0] is None
    assert Head(kind).group(logits)[1] is not None


def test_infinite_logits_are_told_where_they_can_be():
    logits = np.array([[-np.inf, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]])
    np.testing.assert_array_equal(Head("classes").probabilities(logits)[0], [0, 1])
    assert Head("classes").group(logits) == [1, None, None]
    assert Head("labels").group(logits) == [1, 0, 2]


def test_only_shapes_without_doubt_are_guessed():
    assert fit(None, 3).head.kind == "classes"
    assert fit(None, 1).head.kind == "number"
    assert all(fit(None, outputs).assumed for outputs in (1, 2, 1000))
    assert not fit(Head("classes"), 2).assumed


@pytest.mark.parametrize(
    ("kind", "outputs", "names", "called"),
    [
        ("classes", 2, (), ("class 0", "class 1")),
        ("classes", 2, ("a", "b"), ("a", "b")),
        ("binary", 1, (), ("negative", "positive")),
        ("binary", 1, ("healthy", "ill"), ("healthy", "ill")),
        ("binary", 1, ("ill",), ("not ill", "ill")),
        ("labels", 1, ("sea",), ("sea",)),
        ("labels", 2, (), ("label 0", "label 1")),
        ("number", 1, (), ("output",)),
        ("number", 2, ("x (mm)", "y (mm)"), ("x (mm)", "y (mm)")),
        (None, 1, ("age",), ("age",)),
    ],
)
def test_each_head_takes_its_own_names(kind, outputs, names, called):
    assert fit(Head.of(kind), outputs, names).names == called


@pytest.mark.parametrize(
    ("kind", "outputs", "names", "said"),
    [
        ("classes", 1, (), "two outputs or more, and this network has 1.*binary"),
        ("binary", 2, (), "has one output, and this network has 2"),
        ("binary", 1, ("a", "b", "c"), "3 names of classes; a binary head takes two"),
        ("classes", 3, ("a", "b"), "2 names of classes and 3 logits"),
        ("labels", 3, ("a", "b"), "2 names of labels and 3 logits"),
        ("number", 1, ("a", "b"), "2 names of outputs and 1 number"),
        (None, 3, ("a", "b"), "2 names of classes and 3 logits"),
        (None, 1, ("a", "b"), "2 names of outputs and 1 number.*binary"),
    ],
)
def test_what_does_not_fit_is_said(kind, outputs, names, said):
    with pytest.raises(HeadMismatch, match=said):
        fit(Head.of(kind), outputs, names)


@pytest.mark.parametrize("head", [lambda: Head("softmax"), lambda: Head("binary", 0), lambda: Head("binary", 1.5)])
def test_no_other_heads_are_taken(head):
    with pytest.raises(ValueError, match=r"must be one of|above 0 and below 1"):
        head()


def test_names_say_how_many_outputs_there_are():
    assert expected_outputs(None, 3) == 3
    assert expected_outputs(Head("binary"), 2) == expected_outputs(Head("binary"), 1) == 1


def a(*shape):
    return np.arange(max(1, int(np.prod(shape))), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("output", "images", "found"),
    [
        (a(2, 5), 2, 5),
        (a(2, 1), 2, 1),
        (a(2), 2, 1),
        (a(), 1, 1),
        (a(1, 5), 2, None),
        (a(5), 2, None),
        (a(), 2, None),
        (a(2, 3, 4, 4), 2, None),
        ({"out": a(2, 5)}, 2, None),
        ((a(2, 5), a(2, 5)), 2, None),
        (None, 1, None),
    ],
)
def test_a_table_has_a_row_for_each_image(output, images, found):
    assert columns(output, images) == found
    made = table(output, images)
    assert (None if made is None else made.shape) == (None if found is None else (images, found))
    if isinstance(output, np.ndarray):
        assert columns(torch.from_numpy(output), images) == found


def test_single_numbers_of_single_images_make_a_table():
    assert table([a(1) + 1, a() + 2, a(1, 1) + 3], 3).tolist() == [[1], [2], [3]]
    assert table([a(5), a(5)], 2) is None


@pytest.mark.parametrize(
    ("output", "images", "said"),
    [
        ({"out": a(1, 21, 8, 8), "aux": a(1, 21, 8, 8)}, 1, "a dict with out, aux"),
        ([{"boxes": a(3, 4), "scores": a(3)}] * 2, 2, "a dict with boxes, scores for each image"),
        ([{"out": a(1, 2, 3, 4)}] * 3, 3, "a dict with out for each image"),
        (a(1, 21, 8, 8), 1, "an array of shape (1, 21, 8, 8)"),
        ((a(1, 5), a(1, 8)), 1, "a tuple of 2 ((1, 5), (1, 8))"),
        ([a(2, 4, 8, 8), a(2, 8, 4, 4)], 2, "a list of 2 ((2, 4, 8, 8), (2, 8, 4, 4))"),
        ({f"part{i}": a(1) for i in range(9)}, 1, "a dict with part0, part1, part2, part3, part4, part5 and 3 more"),
        (None, 1, "nothing"),
        ("text", 1, "a str"),
    ],
)
def test_other_outputs_are_described(output, images, said):
    assert describe_output(output, images) == said


def test_outputs_of_libraries_are_described():
    class ModelOutput(OrderedDict):
        """Hugging Face's is such a dict."""

    assert (
        describe_output(GoogLeNetOutputs(a(1, 5), None, None), 1)
        == "a GoogLeNetOutputs with logits, aux_logits2, aux_logits1"
    )
    assert describe_output(ModelOutput(last_hidden_state=a(1, 4, 4)), 1) == "a ModelOutput with last_hidden_state"


@pytest.mark.parametrize("stacked", [False, True])
def test_a_table_among_other_things_is_pointed_to(stacked):
    output = {"logits": a(1, 5), "hidden": a(1, 4, 8, 8)}
    with pytest.raises(NoPredictions, match="Wrap it so that it returns only logits"):
        fit_output(None, [output] * 2 if stacked else output, 1 + stacked, (), "Net")
    with pytest.raises(NoPredictions, match="returns only logits"):
        fit_output(None, GoogLeNetOutputs(a(2, 5), None, None), 2, (), "Net")
    with pytest.raises(NoPredictions, match=r"no predictions\.$"):
        fit_output(None, {"out": a(1, 5, 8, 8)}, 1, (), "Net")


def test_what_predicts_nothing_says_why():
    segmented = {"out": a(1, 2, 4, 4)}
    with pytest.raises(NoPredictions, match=r"^Net returns a dict with out, not a single table of logits, so there"):
        fit_output(None, segmented, 1, (), "Net")
    with pytest.raises(HeadMismatch, match="needs a table of outputs"):
        fit_output(Head("classes"), segmented, 1, (), "Net")
    for output in (segmented, a(1, 5)):
        with pytest.raises(NoPredictions, match="taken as features"):
            fit_output(Head("features"), output, 1, (), "Net")
    with pytest.raises(NoPredictions, match=r"shape \(2, 0\)"):
        fit_output(None, np.zeros((2, 0)), 2, (), "Net")


def test_probabilities_are_not_put_through_another_softmax():
    ready = torch.from_numpy(LOGITS).softmax(1).numpy()
    np.testing.assert_allclose(Head("classes").probabilities(ready), ready, atol=1e-6)
    np.testing.assert_allclose(as_logits(ready[:, :2]), ready[:, :2])  # these do not sum to 1
    assert fit_output(None, torch.from_numpy(ready), 6, (), "Net").ready
    assert not fit_output(None, torch.from_numpy(LOGITS), 6, (), "Net").ready
    np.testing.assert_array_equal(Head("classes").probabilities(np.eye(3)), np.eye(3))


@pytest.mark.parametrize("kind", ["binary", "labels"])
def test_outputs_that_may_be_probabilities_are_doubtful(kind):
    outputs = LOGITS.reshape(-1, 1)
    assert not fit_output(Head(kind), outputs, 24, (), "Net").doubtful
    fitted = fit_output(Head(kind), 1 / (1 + np.exp(-outputs)), 24, (), "Net")
    assert "let the network return its logits" in meaning(fitted)
    assert "let the network return its logits" not in meaning(fit_output(Head(kind), outputs[:1] * 0, 1, (), "Net"))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (torch.zeros(6, 4, dtype=torch.int64), "whole numbers"),
        (np.zeros((6, 4), np.uint8), "whole numbers"),
        (torch.ones(6, 4) > 0, "truth values"),
        (torch.zeros(6, 4, dtype=torch.complex64), "complex numbers"),
    ],
)
def test_what_is_not_logits_predicts_nothing(output, said):
    with pytest.raises(NoPredictions, match=f"Net returns {said}, not logits"):
        fit_output(None, output, 6, (), "Net")
    with pytest.raises(HeadMismatch, match=f"needs logits, and Net returns {said}"):
        fit_output(Head("classes"), output, 6, (), "Net")
    assert fit_output(None, torch.zeros(6, dtype=torch.int64), 6, (), "Net").head.kind == "number"
