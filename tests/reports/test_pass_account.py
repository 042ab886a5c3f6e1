import numpy as np

from se_viz.demo.recipe import PREPROCESS
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.profiles.metadata import DatasetInfo, Header, ModelInfo
from se_viz.reports.pass_account import account


def made(counts, refused=()):
    header = Header(
        model=ModelInfo("test", "0" * 64, PREPROCESS),
        gates=(),
        sources=(DatasetInfo("test", "folder", 1, "0" * 64),),
        labels="given",
        classes=tuple(counts),
        counts=tuple(counts.values()),
        refused=dict(refused),
    )
    return ClassProfiles(None, header, {})


def test_images_by_class_and_what_was_left_out():
    refused = {
        "bee/2.png": "2.png was left out: it is damaged.",
        "a/b/cat/1.png": "1.png was left out: it is empty.",
        "cat/2.png": "2.png was left out: it is empty.",
    }
    assert account(made({"ape": 1200, "bee": 1, "cat": 0}, refused), ["photos has no splits."]) == [
        "1,201 images of 2 classes: ape 1,200, bee 1.",
        "No image of cat.",
        "2 images, the first of them cat/1.png, were left out: it is empty.",
        "bee/2.png was left out: it is damaged.",
        "photos has no splits.",
    ]
    assert account(made({"ape": 1})) == ["1 image of 1 class: ape 1."]


def test_many_classes_and_many_reasons_take_a_line_each():
    counts = {f"class {number}": int(count) for number, count in enumerate(np.arange(1000) % 700)}
    refused = {f"{number}.png": f"{number}.png was left out: reason {number}." for number in range(9)}
    lines = account(made(counts, refused))
    assert lines[0] == ("289,500 images of 998 classes: from 1 (class 1) to 699 (class 699); report.json lists them.")
    assert lines[1] == "No image of class 0, class 700."
    assert lines[2] == "0.png was left out: reason 0."
    assert lines[-1] == "4 more were left out; report.json says why."
