"""Edits put in the place of s inside gates of known classes: the same bits as s' · U, or not used."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from timm.layers import eca, squeeze_excite
from timm.models import hgnet, senet
from torch import nn
from torchvision.ops import SqueezeExcitation

import se_viz
from se_viz.gates.instrument_cache import instrument_of
from se_viz.gates.se_unit import SEGate


class Limited(squeeze_excite.SEModule):
    """A gate that limits what the module that returns s returns; s itself is within the limits."""

    def forward(self, x):
        s = self.gate(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))
        return x * s.clamp(-1, 1)


class Rescaled(squeeze_excite.SEModule):
    """A gate that does something else to weights beyond 1."""

    def forward(self, x):
        s = self.gate(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))
        return x * s if s.max() <= 1 else x * s * 0.5


class InPlace(squeeze_excite.SEModule):
    def forward(self, x):
        return x.mul_(self.gate(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True))))))


GATES = {
    "ours": (lambda: SEGate(16, 4), True),
    "timm": (lambda: squeeze_excite.SEModule(16, rd_channels=4), True),
    "effective": (lambda: squeeze_excite.EffectiveSEModule(16), True),
    "eca": (lambda: eca.EcaModule(16), True),
    "circular eca": (lambda: eca.CecaModule(16), True),
    "senet": (lambda: senet.SEModule(16, 4), True),
    "hgnet": (lambda: hgnet.EseModule(16), True),
    "torchvision": (lambda: SqueezeExcitation(16, 4), True),
    "in place": (lambda: InPlace(16, rd_channels=4), True),
    "limited": (lambda: Limited(16, rd_channels=4), False),
    "rescaled": (lambda: Rescaled(16, rd_channels=4), False),
}


class Network(nn.Module):
    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.conv, self.gate, self.again = nn.Conv2d(3, 16, 3, stride=2), gate, nn.Conv2d(16, 8, 3)

    def forward(self, images):
        return self.again(self.gate(torch.relu(self.conv(images)))).mean((2, 3))


IMAGES = torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(1))
WEIGHTS = np.random.default_rng(2).uniform(-2, 3, (3, 16)).astype(np.float32)


def network_of(kind: str) -> tuple[Network, bool]:
    torch.manual_seed(0)
    make, direct = GATES[kind]
    return Network(make()).eval(), direct


def by_hand(network: Network, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return s' · U and the outputs of the network with it."""
    with torch.no_grad():
        edited = torch.relu(network.conv(IMAGES)) * torch.from_numpy(weights)[:, :, None, None]
        return edited.numpy(), network.again(edited).mean((2, 3)).numpy()


@pytest.mark.parametrize("kind", GATES)
def test_every_pass_multiplies_u_by_the_weights(kind):
    network, direct = network_of(kind)
    instrument = instrument_of(network, (20, 20))
    (gate,) = instrument.gates
    plain = se_viz.capture(instrument, IMAGES, maps=[gate.name])
    edited, outputs = by_hand(network, WEIGHTS)
    for _ in range(4):  # the second pass finds out whether later ones may put s' in the place of s
        found = se_viz.capture(instrument, IMAGES, maps=[gate.name], edits={gate.name: WEIGHTS})
        np.testing.assert_array_equal(found[gate.name].u, plain[gate.name].u)
        np.testing.assert_array_equal(found[gate.name].x, edited)
        np.testing.assert_array_equal(found[gate.name].s, plain[gate.name].s)
        np.testing.assert_array_equal(found[gate.name].s_applied, WEIGHTS)
        np.testing.assert_array_equal(found.logits, outputs)
    assert instrument._direct == {gate.name: direct}
    again = se_viz.capture(instrument, IMAGES, maps=[gate.name])
    np.testing.assert_array_equal(again.logits, plain.logits)
    np.testing.assert_array_equal(again[gate.name].x, plain[gate.name].x)
    assert not network.gate._forward_hooks


def test_channels_factors_and_single_images_are_laid_over_s_as_computed():
    network, _ = network_of("timm")
    instrument = instrument_of(network, (20, 20))
    (gate,) = instrument.gates
    s = se_viz.capture(instrument, IMAGES)[gate.name].s
    for _ in range(3):
        channels = se_viz.capture(instrument, IMAGES, edits={gate.name: {3: 7.0}})
        half = se_viz.capture(instrument, IMAGES, batch=1, edits={"all": se_viz.scale(0.5)})
        expected = s.copy()
        expected[:, 3] = 7
        np.testing.assert_allclose(channels.logits, by_hand(network, expected)[1], atol=1e-6)
        np.testing.assert_allclose(half.logits, by_hand(network, s / 2)[1], atol=1e-6)
    assert instrument._direct == {gate.name: True}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    network, _ = network_of("timm")
    network.to(dtype)
    instrument = instrument_of(network, (20, 20))
    (gate,) = instrument.gates
    passes = [se_viz.capture(instrument, IMAGES.to(dtype), edits={gate.name: WEIGHTS}) for _ in range(4)]
    assert instrument._direct == {gate.name: True}
    for found in passes[1:]:
        np.testing.assert_array_equal(found.logits, passes[0].logits)
        np.testing.assert_array_equal(found[gate.name].s, passes[0][gate.name].s)


def test_threads_with_other_edits_and_with_none_do_not_mix():
    network, _ = network_of("timm")
    instrument = instrument_of(network, (20, 20))
    (gate,) = instrument.gates
    plain = se_viz.capture(instrument, IMAGES).logits
    expected = {number: by_hand(network, WEIGHTS * number)[1] for number in range(8)}

    def work(number: int) -> None:
        for _ in range(5):
            np.testing.assert_array_equal(se_viz.capture(instrument, IMAGES).logits, plain)
            found = se_viz.capture(instrument, IMAGES, edits={gate.name: WEIGHTS * number})
            np.testing.assert_array_equal(found.logits, expected[number])

    with ThreadPoolExecutor(8) as pool, instrument.attached():
        list(pool.map(work, range(8)))
    assert instrument._direct == {gate.name: True}
