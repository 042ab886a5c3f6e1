"""Edits, suffix and freezing of blocks that use U, s or their gate in unusual ways, against passes by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import relu

import se_viz
from se_viz.data.preprocess import Preprocess
from se_viz.gates.errors import NotReadable
from se_viz.gates.instrument_cache import instrument_of
from se_viz.interventions.edited_passes import EditedPasses
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.model.model import Model

GATE = "SE_1_1"


class SE(nn.Module):
    overwrites = False

    def __init__(self):
        super().__init__()
        self.a, self.b, self.sigmoid = nn.Linear(8, 8), nn.Linear(8, 8), nn.Sigmoid()

    def s(self, u):
        return self.sigmoid(self.b(relu(self.a(u.mean((2, 3))))))[:, :, None, None]

    def forward(self, u, _unused=None):
        return u.mul_(self.s(u)) if self.overwrites else u * self.s(u)


class Net(nn.Module):
    def __init__(self, body, outputs=5):
        super().__init__()
        self.c, self.d = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 1)
        self.se, self.fc = SE(), nn.Linear(8, outputs)
        self.words = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 8))
        self.body = body

    def forward(self, x):
        return self.body(self, x)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def made(body, outputs=5, *, overwrites=False):
    network = Net(body, outputs).eval()
    network.se.overwrites = overwrites
    return network


def against_a_table(n, x):
    """Similarity of each image with ten texts, whose vectors are computed before the gate."""
    words = n.words(torch.arange(10))
    return relu(n.d(n.se(n.c(x)))).mean((2, 3)) @ words.T


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_table_that_is_no_part_of_the_images_is_not_divided_among_them(count):
    network, batch = made(against_a_table), torch.randn(count, 3, 32, 32)
    s = torch.rand(count, 3, 8)
    found = se_viz.suffix(network, batch, GATE)(s)
    for row in range(3):
        edited = se_viz.capture(network, batch, edits={GATE: s[:, row].numpy()})
        np.testing.assert_allclose(found[:, row].detach(), edited.logits, atol=1e-6)
    exact = se_viz.attribute(network, batch, GATE, 7, method="exact", baseline=0.0)
    assert exact.values.shape == (count, 8)


def goes_on_with_u(n, x):
    u = n.c(x)
    n.se(u)
    return n.fc(u.mean((2, 3)))


def adds_u(n, x):
    u = n.c(x)
    return n.fc(relu(u + n.se(u)).mean((2, 3)))


@pytest.mark.parametrize(
    ("body", "by_hand"),
    [
        (goes_on_with_u, lambda n, u: n.fc(u.mean((2, 3)))),
        (adds_u, lambda n, u: n.fc(relu(u + u).mean((2, 3)))),
    ],
)
def test_a_gate_that_overwrites_u_is_edited_and_frozen_where_the_block_goes_on_with_u(body, by_hand, images, tmp_path):
    network = made(body, overwrites=True)
    right = by_hand(network, network.c(images) * 0.25).detach()
    for _ in range(2):  # the second pass knows that the gate overwrites U
        edited = se_viz.capture(network, images, edits={GATE: 0.25})
        np.testing.assert_allclose(edited.logits, right, atol=1e-6)
        assert (edited[GATE].s_applied == 0.25).all()
    frozen = se_viz.freeze(network, {GATE: 0.25})
    torch.testing.assert_close(frozen.network(images).detach(), right)
    frozen.save(tmp_path / "frozen.safetensors")
    again = FrozenNetwork.load(tmp_path / "frozen.safetensors", network)
    torch.testing.assert_close(again.network(images).detach(), right)


@pytest.mark.parametrize(
    "body",
    [
        lambda n, x: n.fc(n.se(u=n.c(x)).mean((2, 3))),
        lambda n, x: n.fc(n.se(n.c(x), "more").mean((2, 3))),
        lambda n, x: n.fc(n.se(_unused="more", u=n.c(x)).mean((2, 3))),
    ],
    ids=["by keyword", "with a second argument", "by keyword, after another"],
)
@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_a_frozen_gate_takes_the_arguments_of_its_module(body, weight, images):
    network = made(body)
    edited = se_viz.capture(network, images, edits={GATE: weight}).logits
    frozen = se_viz.freeze(network, {GATE: weight}).network
    np.testing.assert_allclose(frozen(images).detach(), edited, atol=1e-6)
    np.testing.assert_allclose(
        se_viz.suffix(network, images, GATE)(torch.full((2, 8), weight)).detach(), edited, atol=1e-6
    )


def multiplies_twice(n, x):
    u = n.c(x)
    w = n.se.s(u)
    return n.fc((u * w).mean((2, 3)) + (n.d(u) * w).mean((2, 3)))


def test_passes_start_at_the_first_of_two_multiplications_as_a_capture_edits_it(images):
    network = made(multiplies_twice)
    edits = [{GATE: 0.0}, {GATE: 0.5}]
    passes = EditedPasses(instrument_of(network, (32, 32)), edits)
    _, found = passes(images)
    assert not passes.whole
    for edit, outputs in zip(edits, found, strict=True):
        np.testing.assert_allclose(outputs, se_viz.capture(network, images, edits=edit).logits, atol=1e-6)


def test_the_one_logit_of_a_binary_head_is_that_of_its_second_name(images):
    network = made(lambda n, x: n.fc(n.se(n.c(x)).mean((2, 3))), 1)
    model = Model("two", network, Preprocess(), ("cat", "dog"), head="binary")
    asked = [se_viz.attribute(model, images, GATE, target, baseline=0.0).change for target in ("dog", None)]
    np.testing.assert_array_equal(*asked)
    with pytest.raises(KeyError, match="ask about dog: what raises its logit lowers that of cat by the same amount"):
        se_viz.attribute(model, images, GATE, "cat", baseline=0.0)


def test_one_number_for_each_image_is_a_table_of_one_logit(images):
    network = made(lambda n, x: n.fc(n.se(n.c(x)).mean((2, 3))).squeeze(1), 1)
    assert se_viz.suffix(network, images, GATE)(torch.rand(2, 3, 8)).shape == (2, 3, 1)


def test_yes_and_no_are_frozen_and_are_no_logits(images):
    network = made(lambda n, x: n.fc(n.se(n.c(x)).mean((2, 3))) > 0)
    frozen = se_viz.freeze(network, {GATE: 0.5}).network(images)
    assert torch.equal(frozen, torch.from_numpy(np.asarray(se_viz.capture(network, images, edits={GATE: 0.5}).output)))
    with pytest.raises(NotReadable, match="returns no logits"):
        se_viz.suffix(network, images, GATE)


def test_channels_are_laid_over_the_wider_edit_whatever_comes_first(images):
    network = made(lambda n, x: n.fc(n.se(n.c(x)).mean((2, 3))))
    for edits in ({"all": 0.0, GATE: {3: 1.0}}, {GATE: {3: 1.0}, "stage 1": 0.0}):
        np.testing.assert_array_equal(se_viz.capture(network, images, edits=edits)[GATE].s_applied, np.eye(8)[[3, 3]])


@pytest.mark.parametrize(
    "value", [np.full(8, 0.5 + 0.5j), torch.full((8,), 0.5 + 0.5j), 1j, np.ma.masked_equal(np.arange(8.0), 3)]
)
def test_complex_and_masked_numbers_are_refused(value, images):
    network = made(lambda n, x: n.fc(n.se(n.c(x)).mean((2, 3))))
    with pytest.raises(TypeError, match="real numbers, each of them given"):
        se_viz.capture(network, images, edits={GATE: value})
