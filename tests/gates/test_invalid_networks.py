"""Inputs that are not a batch of images, and networks that do not take images or hide their modules."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from support.networks import Host, demo, make_images, model
from support.third_party_gates import SELayer
from torch import nn

from se_viz.gates.errors import InstrumentError, NotAnImageModel, NotReadable
from se_viz.gates.find import find_gates
from se_viz.interventions.capture import capture


@pytest.fixture(scope="module")
def held():
    return model(demo(), 64)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.zeros(3, 64, 64), r"not \(3, 64, 64\)"),
        (torch.zeros(0, 3, 64, 64), r"N ≥ 1, not \(0, 3, 64, 64\)"),
        (torch.zeros(2, 1, 64, 64), r"SEResNet does not take images of shape \(2, 1, 64, 64\): "),
    ],
)
def test_what_is_no_batch_of_images(held, images, says):
    with pytest.raises(NotAnImageModel, match=says):
        capture(held, images)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "8", None])
def test_what_is_no_size_of_a_batch(held, batch):
    with pytest.raises(ValueError, match="batch must be a whole number of images, 1 or more, not "):
        capture(held, torch.zeros(1, 3, 64, 64), batch=batch)


def test_maps_are_of_gates_or_of_their_names(held):
    gate = held.gates[1]
    images = torch.rand(1, 3, 64, 64)
    for maps in (gate, gate.name, [gate], [gate.name]):
        gate_capture = capture(held, images, maps=maps)
        assert [one.gate for one in gate_capture if one.u is not None] == [gate]


def test_a_network_without_numbers():
    with torch.device("meta"):
        network = demo()
    with pytest.raises(NotReadable, match="on the meta device"):
        capture(network, torch.zeros(1, 3, 64, 64))


def test_a_bare_network_takes_no_images():
    with pytest.raises(NotAnImageModel, match="wrap it in a Model"):
        capture(demo(), Image.new("RGB", (64, 64)))


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens):
        return self.head(self.layer(self.embedding(tokens)).mean(1))


@pytest.mark.parametrize("build", [Text, lambda: nn.Linear(10, 2), lambda: nn.LSTM(3, 4), lambda: nn.Bilinear(3, 3, 2)])
def test_a_network_that_takes_no_images(build):
    with pytest.raises(NotAnImageModel, match="takes no batch of images"):
        capture(build(), make_images(2))


class Returns(Host):
    def __init__(self, wrap):
        super().__init__(SELayer())
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(super().forward(x))


@dataclass
class Answer:
    logits: torch.Tensor
    note: str = "as it was"


@pytest.mark.parametrize(
    ("wrap", "table"),
    [
        (lambda logits: {"logits": logits, "aux": [logits + 1]}, lambda output: output["logits"]),
        (lambda logits: (logits, None), lambda output: output[0]),
        (lambda logits: [{"boxes": row} for row in logits], lambda output: np.stack([one["boxes"] for one in output])),
        (lambda logits: logits[:, :, None, None].expand(-1, -1, 4, 4), lambda output: output[:, :, 0, 0]),
        (lambda logits: OrderedDict(out=logits), lambda output: output["out"]),
        (Answer, lambda output: output.logits),
    ],
    ids=["dictionary", "tuple", "list", "maps", "ordered dictionary", "dataclass"],
)
@pytest.mark.parametrize("batch", [2, 3, 5])
def test_a_network_that_returns_something_else_than_a_table(wrap, table, batch):
    network = Returns(wrap).eval()
    images = make_images(5)
    read = capture(network, images, ["SE_1_1"], batch=batch)
    with torch.no_grad():
        expected = Host.forward(network, images).numpy()
        u = network.stem(images)
    assert read.logits is None
    assert read.images == 5
    np.testing.assert_allclose(table(read.output), expected, rtol=1e-6, atol=1e-6)
    (gate,) = read
    np.testing.assert_allclose(gate.z, u.mean((2, 3)).numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gate.s[:, :, None, None] * gate.u, gate.x, rtol=1e-6, atol=1e-6)
    if isinstance(read.output, Answer):
        assert read.output.note == "as it was"


def test_one_row_for_all_images_is_no_table_of_logits():
    read = capture(Returns(lambda logits: logits.mean(0, keepdim=True)), make_images(2))
    assert read.logits is None
    assert read.output.shape == (1, 5)


def compiled_in_place():
    host = Host(SELayer())
    host.compile()
    return host


def compiled_in_part():
    host = Host(SELayer())
    host.gate.fc = torch.compile(host.gate.fc)
    return host


def with_scripted_part():
    host = Host(SELayer())
    host.stem = torch.jit.script(host.stem)
    return host


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: torch.compile(Host(SELayer())), "This network is compiled"),
        (compiled_in_place, "This network is compiled"),
        (compiled_in_part, r"Its part gate\.fc is compiled"),
        (lambda: torch.jit.script(Host(SELayer())), "This network is scripted"),
        (lambda: torch.jit.trace(Host(SELayer()).eval(), make_images(2)), "This network is scripted"),
        (with_scripted_part, "Its part stem is scripted"),
        (lambda: torch.fx.symbolic_trace(Host(nn.Sequential(nn.ReLU()))), "This network is a graph"),
        (lambda: Host(SELayer()).forward, "A torch.nn.Module is needed, not method"),
    ],
)
def test_a_network_whose_modules_are_hidden_is_refused(build, says):
    network = build()
    with pytest.raises(NotReadable, match=says):
        capture(network, make_images(2))
    with pytest.raises(InstrumentError):
        find_gates(network)


@pytest.mark.slow
def test_a_network_that_is_compiled_after_its_first_capture_is_refused():
    host = Host(SELayer())
    capture(host, make_images(2))
    host.compile()
    with pytest.raises(NotReadable, match="compiled"):
        capture(host, make_images(2))
