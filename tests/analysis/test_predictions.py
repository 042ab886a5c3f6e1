import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from se_viz.analysis.head_sentences import meaning
from se_viz.analysis.predictions import predict, top
from se_viz.analysis.resemblance import groups
from se_viz.data.imagenette import CLASSES
from se_viz.data.images import InputImage
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.reports.tables import predictions_table, table_bytes
from se_viz.weights.head import Head, HeadMismatch


def said(model: Model, outputs, head=None, names=(), given=None):
    """What a model says whose outputs are these, for images that it is told if they are given."""
    other = model.with_head(head)
    other.classes = tuple(names)
    outputs = np.asarray(outputs, np.float32) if isinstance(outputs, list) else outputs
    images = len(outputs) if isinstance(outputs, np.ndarray) else 2
    return predict(other, Capture({}, images, outputs), images=given)


def test_probabilities_are_torch_softmax_in_falling_order():
    logits = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    expected = torch.from_numpy(logits).softmax(1).sort(1, descending=True)
    for row, values, indices in zip(top(logits, tuple("abcdefgh")), *expected, strict=True):
        assert [prediction.probability for prediction in row] == pytest.approx(values[:5].tolist(), abs=1e-6)
        assert [prediction.label for prediction in row] == ["abcdefgh"[index] for index in indices[:5]]


def test_classes_without_names_are_numbered_and_few_classes_are_all_shown():
    assert [p.label for p in top(np.array([[0.0, 2.0]], dtype=np.float32), ())[0]] == ["class 1", "class 0"]


def test_one_output_is_no_class():
    with pytest.raises(HeadMismatch, match="two outputs or more"):
        top(np.zeros((2, 1), np.float32), ())


def test_one_output_that_is_not_described_is_a_number(model):
    found = said(model, [[1.25], [-0.5]])
    assert [one.sentence for one in found.images] == [
        "The network returns output 1.25.",
        "The network returns output −0.5.",
    ]
    assert found.groups == [None, None]
    assert "one output" in meaning(found.fitted)
    assert "choose binary with --head" in meaning(found.fitted, "--head")


@pytest.mark.parametrize("outputs", [[[2.0], [-1.0]], [2.0, -1.0]])
def test_of_a_binary_head_sigma_is_the_probability(model, outputs):
    found = said(model, outputs, "binary", ["not spam", "spam"])
    assert [one.said for one in found.images] == ["spam (88%)", "not spam (73%)"]
    assert found.groups == ["spam", "not spam"]
    assert [one.label for one in found.images[1].shown] == ["not spam", "spam"]
    assert [one.probability for one in found.images[1].shown] == pytest.approx([0.731059, 0.268941], abs=1e-6)


def test_what_a_binary_head_says_stands_first_whatever_the_threshold(model):
    found = said(model, [[-1.0], [-3.0]], Head("binary", 0.2), ["spam"])
    assert [one.shown[0].label for one in found.images] == ["spam", "not spam"]
    assert found.images[0].said == "spam (27%; spam at 20% or more)"
    assert "spam at 20% or more" in meaning(found.fitted)


def test_outputs_read_one_image_at_a_time_are_the_same(model):
    whole, single = said(model, [2.0, -1.0], "binary"), [np.float32([2.0]), np.float32(-1.0)]
    named = model.with_head("binary")
    named.classes = ()
    assert predict(named, Capture({}, 2, single)).images == whole.images


def test_labels_hold_each_by_itself(model):
    found = said(model, [[2.0, 3.0, -1.0], [-1.0, -2.0, -3.0]], "labels", ["sea", "sky", "sun"])
    assert found.images[0].sentence == "The network says sky (95%), sea (88%)."
    assert [one.holds for one in found.images[0].shown] == [True, True, False]
    assert "none of 3 labels (the most probable, sea, has 27%; the threshold is 50%)" in found.images[1].said
    assert found.groups == ["sky", "no label"]


def test_of_many_labels_the_first_are_listed(model):
    found = said(model, [[1.0] * 9], "labels")
    assert found.images[0].said.endswith("label 4 (73%) and 4 more")
    assert len(found.images[0].shown) == 5


def test_numbers_are_shown_as_they_are(model):
    found = said(model, [[31.4159, -2e-5]], "number", ["age (years)", "drift"])
    assert found.images[0].sentence == "The network returns age (years) 31.42, drift −2e−05."
    assert not any(one.probability for one in found.images[0].shown)


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("classes", [np.nan, 1.0]),
        ("binary", [np.nan]),
        ("labels", [1.0, np.nan]),
        ("number", [np.nan]),
        (None, [np.nan]),
        (None, [1.0, np.nan]),
    ],
)
def test_nan_is_said_and_of_that_image_alone(model, head, row):
    found = said(model, [row, [1.0] * len(row)], head)
    assert found.images[0].sentence == "The network returned NaN for this image, so it has no prediction."
    assert found.images[0].shown == ()
    assert found.images[1].shown


def test_infinite_outputs_are_said(model):
    assert "infinite numbers" in said(model, [[np.inf, 1.0]], "classes").images[0].sentence
    assert "infinite numbers" in said(model, [[np.inf]], "number").images[0].sentence


def test_without_a_table_it_says_why_nothing_is_predicted(model):
    found = said(model, {"out": np.zeros((2, 4, 8, 8)), "aux": np.zeros((2, 4, 8, 8))})
    assert found.missing == (
        "SEResNet returns a dict with out, aux, not a single table of logits, so there are no predictions."
    )
    assert found.fitted is None
    assert [one.sentence for one in found.images] == [found.missing] * 2


def test_a_head_or_names_that_do_not_fit_are_said(model):
    assert "has one output, and this network has 3" in said(model, [[1.0, 2.0, 3.0]], "binary").missing
    assert "2 names of classes and 3 logits" in said(model, [[1.0, 2.0, 3.0]], None, ["a", "b"]).missing


def test_what_is_assumed_is_said(model):
    assert "softmax over 3 classes (assumed)" in meaning(said(model, [[1.0, 2.0, 3.0]]).fitted)
    assert "assumed" not in meaning(said(model, [[1.0, 2.0, 3.0]], "classes").fitted)
    assert meaning(said(model, [[1.0] * 1000], "classes").fitted) == ""
    assert "assumed" in meaning(said(model, [[1.0] * 1000]).fitted)


NAMES = ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("head", "outputs", "names", "probability", "says"),
    [
        (
            "classes",
            [[0.0, 1.0], [np.nan, 1.0]],
            ["x", "y"],
            [0.268941, 0.731059, None, None],
            [False, True, None, None],
        ),
        ("binary", [[1.0], [-1.0]], ["yes"], [0.731059, 0.268941], [True, False]),
        (
            "labels",
            [[0.0, 1.0], [-1.0, -1.0]],
            ["x", "y"],
            [0.5, 0.731059, 0.268941, 0.268941],
            [True, True, False, False],
        ),
        ("number", [[3.5], [4.5]], ["age"], [None, None], [None, None]),
    ],
)
def test_a_table_holds_every_output(model, head, outputs, names, probability, says):
    found = said(model, outputs, head, names)
    frame = pd.read_csv(io.BytesIO(table_bytes(predictions_table(found, NAMES), "csv")))
    assert list(frame.columns) == ["image", "output", "logit", "probability", "says"]
    assert frame["output"].tolist() == names * 2
    np.testing.assert_allclose(frame["logit"], np.ravel(outputs), rtol=1e-6)
    np.testing.assert_allclose(frame["probability"], np.array(probability, float), atol=1e-6)
    assert [None if pd.isna(one) else bool(one) for one in frame["says"]] == says


def test_of_nothing_the_table_has_no_rows(model):
    frame = predictions_table(said(model, {"out": np.zeros(1)}), NAMES)
    assert frame.empty
    assert list(frame.columns) == ["image", "output", "logit", "probability", "says"]


def test_images_without_predictions_are_one_group():
    assert groups(["a", "b"], [None, None]) == {"all images": [0, 1]}
    assert groups(["a", "b"], ["cat", None]) == {"cat": [0], "no prediction": [1]}
    assert groups(["x/a", "b"], [None, None]) == {"x": [0], "without a folder": [1]}


TEN = list(CLASSES.values())


def shows(*classes) -> InputImage:
    return InputImage("name", "hash", Image.new("RGB", (8, 8)), (8, 8), shows=None if classes == (None,) else classes)


def test_what_a_network_of_few_classes_cannot_know_is_said_and_for_an_upload_not_claimed(model):
    """In order: none of the ten classes, one of them, and an upload."""
    given = [shows(), shows("golf ball"), shows(None)]
    logits = np.eye(10, dtype=np.float32)[[0, 8, 4]] * 9
    none, ball, upload = said(model, logits, "classes", TEN, given).images
    assert none.sentence == "The image shows none of the 10 classes of this network; the closest is tench (100%)."
    assert ball.sentence == "The network says golf ball (100%)."
    assert upload.sentence == "The network says church (100%), the closest of its 10 classes."
    assert [one.closest for one in (none, ball, upload)] == ["closest of 10 classes", "", "closest of 10 classes"]
    assert [one.outside for one in (none, ball, upload)] == [True, False, False]
    without = said(model, logits, "classes", TEN).images
    assert [one.shown for one in without] == [one.shown for one in (none, ball, upload)]
    assert not any(one.closest for one in without)


def test_the_classes_of_other_networks_may_be_what_the_image_shows(model):
    other = said(model, [[3.0, 1.0]], "classes", ["cat", "dog"], [shows()]).images[0]
    assert (other.closest, other.outside) == ("closest of 2 classes", False)


@pytest.mark.parametrize(("head", "count"), [("classes", 1000), ("labels", 3), ("number", 2)])
def test_many_classes_and_other_heads_are_not_the_closest_of_few(model, head, count):
    outputs = np.random.default_rng(0).normal(size=(1, count)).astype(np.float32)
    assert not said(model, outputs, head, [str(one) for one in range(count)], [shows()]).images[0].closest
