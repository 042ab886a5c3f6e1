"""NaN and infinity in a network are reported as such, not as an absence of gates."""

import warnings

import numpy as np
import pytest
import timm
import torch
from torch import nn

import se_viz
from se_viz.demo.seresnet import SEResNet
from se_viz.gates.errors import NoGateFound, NotFinite, NotFiniteValues, PartlyFound
from se_viz.gates.find import find_gates, survey
from se_viz.gates.finite import origin, what_is_in
from se_viz.interventions.capture import capture

IMAGES = torch.rand((3, 3, 64, 64), generator=torch.Generator().manual_seed(1))


def network():
    torch.manual_seed(0)
    return SEResNet().eval()


def negative(path, made=None):
    made = made or network()
    made.get_submodule(path).running_var.fill_(-1)
    return made


def test_a_variance_below_0_is_named_instead_of_no_gate():
    with pytest.raises(NotFinite, match=r"numbers turn to NaN in layer1\.0\.bn1 \(BatchNorm2d\)") as raised:
        find_gates(negative("layer1.0.bn1"), 64)
    assert "Suspicious weights: layer1.0.bn1.running_var (variances below 0)." in str(raised.value)
    assert "No channel gate found" not in str(raised.value)
    assert isinstance(raised.value, NoGateFound)  # what catches this went on before, and goes on


def test_weights_that_overflow_are_named():
    made = network()
    made.layer1[0].conv1.weight.data.fill_(1e38)
    with pytest.raises(NotFinite, match=r"turn to infinity in layer1\.0\.conv1 \(Conv2d\).*numbers up to 1e\+38"):
        find_gates(made, 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "count", "place"),
    [
        (lambda: negative("layer3.0.bn1"), 4, r"layer3\.0\.bn1 \(BatchNorm2d\)"),
        # Its BatchNorm computes in its own code and hands on to an Identity.
        (lambda: negative("blocks.3.1.bn1", timm.create_model("efficientnet_b0").eval()), 6, "BatchNormAct2d"),
    ],
)
def test_gates_behind_nan_are_not_left_out_without_a_word(made, count, place):
    with pytest.warns(PartlyFound, match=rf"Gates may be missing: numbers turn to NaN in .*{place}"):
        assert len(find_gates(made(), 64)) == count


def test_a_network_without_gates_is_said_to_have_none_whatever_its_classifier_returns():
    made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    made[-1].weight.data.fill_(float("nan"))
    with pytest.raises(NoGateFound, match="No channel gate found") as raised:
        find_gates(made.eval(), 64)
    assert not isinstance(raised.value, NotFinite)


def test_a_network_that_is_sound_is_not_run_once_more(monkeypatch):
    monkeypatch.setattr("se_viz.gates.find.origin", lambda *_: pytest.fail("run again"))
    assert survey(network(), 64).notes == ()


def test_numbers_that_code_between_modules_spoils_are_its_own():
    class Divides(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return self.second(self.first(x) / 0)

    found = origin(nn.Sequential(Divides()).eval(), IMAGES)
    assert (found.path, found.kind, found.what) == ("0", "Divides", "infinite")


class Normalising(nn.Module):
    """A network that divides an image by its range, which is 0 / 0 for a flat image."""

    def __init__(self):
        super().__init__()
        self.network = network()

    def forward(self, x):
        least = x.amin((1, 2, 3), keepdim=True)
        return self.network((x - least) / (x - least).amax((1, 2, 3), keepdim=True))


def test_python_is_warned_with_the_first_gate_and_the_images_of_which_it_is_so():
    images = IMAGES.clone()
    images[1] = 0.5
    with pytest.warns(NotFiniteValues) as warned:
        read = capture(Normalising(), images)
    said = str(warned[0].message)
    assert said == read.not_finite
    assert "In all 8 gates numbers are not finite, first in SE_2_1: its z and s are NaN for 1 of 3 images" in said
    assert "(number 2)" in said
    assert "The network returned NaN, too." in said
    assert np.isfinite(read["SE_5_2"].s[[0, 2]]).all()


@pytest.mark.slow
def test_an_output_alone_is_said_apart_from_the_gates():
    made = network()
    made.fc.weight.data[0] = float("nan")
    with pytest.warns(NotFiniteValues, match="returned NaN for all 3 images; the values of its gates are finite"):
        capture(made, IMAGES)


def test_nothing_is_said_of_what_is_finite():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert capture(network(), IMAGES, maps=["SE_5_2"]).not_finite == ""
    assert se_viz.NotFiniteValues is NotFiniteValues


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("what", ["z", "s", "output"])
def test_a_single_number_that_is_not_finite_is_told(what, value, count):
    read = capture(network(), IMAGES[:count])
    gate = read["SE_4_1"]
    table = {"z": gate.z, "s": gate.s, "output": read.output.numpy()}[what]
    table[-1, 1] = value
    which = "NaN" if np.isnan(value) else "infinite"
    assert which in read.not_finite
    assert what == "output" or f"SE_4_1: its {what} is {which} for" in read.not_finite


@pytest.mark.parametrize("count", [1, 3])
def test_large_numbers_are_finite(count):
    read = capture(network(), IMAGES[:count])
    read["SE_4_1"].z[:] = 3e38
    read.output[:] = -3e38
    assert read.not_finite == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], ""),
        (["words", None, 3, torch.arange(3), torch.ones(2, dtype=torch.bfloat16)], ""),
        ([{"a": (torch.tensor([1, torch.inf]),)}], "infinite"),
        ([torch.tensor([torch.inf]), [np.array([np.nan], np.float32)]], "NaN"),
        ([torch.zeros(2, device="meta")], ""),
    ],
)
def test_values_of_any_kind_are_looked_into(values, said):
    assert what_is_in(values) == said
