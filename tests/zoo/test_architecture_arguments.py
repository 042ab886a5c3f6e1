"""Arguments of an architecture as text, from a shell and from anybody's page."""

import pytest
import torch

from se_viz.weights.errors import TooDeep, WeightsRefused
from se_viz.weights.meta_model import bounded
from se_viz.zoo import timm_source
from se_viz.zoo.architecture_arguments import from_stranger, pair, value_of
from se_viz.zoo.checkpoint_plan import Sketch, sketch_of

LIMIT = 100_000_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0.25", 0.25), ("3", 3), ("true", True), ("False", False), ("None", None), ("null", None), ("relu", "relu")),
        *(("[3, 4, 6, 3]", [3, 4, 6, 3]), ("(3, 4,)", [3, 4]), ("'avg'", "avg"), ('"avg"', "avg"), ("1e-3", 0.001)),
    ],
)
def test_a_value_is_json_or_python_or_a_word(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
    assert pair(f"key = {text}") == ("key", value)


@pytest.mark.parametrize("text", ["", "a", "=1", "a b=1", "1=2", "a="])
def test_what_is_no_pair_is_named(text):
    with pytest.raises(ValueError, match="An argument has the form KEY=VALUE, not"):
        pair(text)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        ("rd_ratio=0.25", {"rd_ratio": 0.25}),
        (
            "layers=[3, 4, 6, 3], se_layer=eca ,avg_down=true",
            {"layers": [3, 4, 6, 3], "se_layer": "eca", "avg_down": True},
        ),
        ("layers=(3, 4), global_pool='max',", {"layers": [3, 4], "global_pool": "max"}),
        ("a=1\nb=2", {"a": 1, "b": 2}),
        ('{"rd_ratio": 0.25, "act_layer": "relu"}', {"rd_ratio": 0.25, "act_layer": "relu"}),
        ("num_classes=21843", {"num_classes": 21843}),
    ],
)
def test_a_page_takes_pairs_or_json(text, arguments):
    assert from_stranger(text) == arguments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth=100000", "depth is 100000; numbers up to 2,048 are allowed"),
        ("depth=-3000", "numbers up to 2,048"),
        ("depth=" + "9" * 400, "numbers up to 2,048"),
        ("img_size=1025", "img_size is 1025; numbers up to 1,024"),
        ("layers=[3, 4000]", "layers is 4000"),
        ("drop=1e400", "drop is inf"),
        ("drop=NaN", "drop is nan"),
        ("layers=" + str([1] * 17).replace(" ", ""), "layers is a list of 17 values; the limit is 16"),
        ("layers=[[3]]", "layers is neither a number, true, false, null, a word nor a list"),
        ('a={"b": 1}', "a is neither"),
        ("path=../../etc/passwd", "path must be a word"),
        ("url=https://a.b", "url must be a word"),
        ("word=" + "x" * 41, "at most 40"),
        ("code=__import__('os')", "code must be a word"),
        ("_private=1", "'_private' is not the name of an argument"),
        ("a=1, a=2", "An argument is given twice"),
        ("a", "An argument has the form KEY=VALUE, not 'a'"),
        ('{"a": 1', "begin like JSON but are invalid"),
        ("a=1, " * 200, "characters; the limit is 500"),
        (", ".join(f"a{index}=1" for index in range(17)), "There are 17 arguments; the limit is 16"),
        ("a=" + "[" * 450, "a must be a word"),
    ],
)
def test_what_a_page_does_not_take_is_said(text, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace("[", r"\[")):
        from_stranger(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("timm/seresnet18", "layers=[2048, 2048, 2048, 2048]"),  # deeper than any network
        ("timm/seresnet50", "layers=[1, 1, 1, 9], base_width=2048"),  # and wider
    ],
)
def test_a_network_that_arguments_make_too_large_is_never_built(name, text, monkeypatch):
    taken = []
    create = timm_source.create

    def noted(name, **given):
        network = create(name, **given)
        taken.append(sum(value.numel() for value in network.state_dict().values() if not value.is_meta))
        return network

    monkeypatch.setattr(timm_source, "create", noted)
    with pytest.raises(WeightsRefused, match=r"takes too long to build|M parameters; 100 M is the limit"):
        sketch_of(name, LIMIT).network(from_stranger(text))
    assert sum(taken) < 100_000


def test_tables_that_arguments_make_too_large_are_never_built():
    class Wide(torch.nn.Module):
        def __init__(self, window):
            super().__init__()
            self.register_buffer("index", torch.zeros(window**2, window**2, dtype=torch.long))

    with pytest.raises(WeightsRefused, match="has tables too large for these arguments"):
        Sketch(Wide, "wide", LIMIT).network({"window": 2048})
    assert Sketch(Wide, "wide", LIMIT).network({"window": 7}).index.is_meta


def test_arguments_cannot_choose_a_way_to_build_that_takes_memory():
    tried = []

    def failing(size=1):
        tried.append(torch.zeros(size).device.type)
        if size > 1 and tried[-1] == "meta":
            raise RuntimeError("not on the meta device")
        return torch.nn.Linear(1, 1)

    with pytest.raises(WeightsRefused, match="not on the meta device"):
        Sketch(failing, "failing", LIMIT).network({"size": 2})
    assert set(tried) == {"meta"}


def test_what_takes_too_long_is_ended():
    with bounded("short", 3600):
        assert torch.zeros(1).numel() == 1
    with pytest.raises(TooDeep, match="long takes too long to build with these arguments"), bounded("long", 0):
        torch.zeros(1)
    assert torch.zeros(1).numel() == 1


@pytest.mark.parametrize("name", ["device", "dtype", "pretrained", "checkpoint_path", "cache_dir", "features_only"])
def test_arguments_that_reach_out_of_the_network_are_forbidden(name):
    assert name in timm_source.FORBIDDEN
