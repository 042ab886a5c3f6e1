import gc
from weakref import ref

import numpy as np
import pytest
import torch
from PIL import Image
from support.networks import Host, demo, hooks, make_images, model, modes
from support.third_party_gates import SELayer

import se_viz
from se_viz.data.images import InputImage
from se_viz.data.preprocess import Preprocess
from se_viz.gates.errors import NoGateFound
from se_viz.interventions.capture import capture
from se_viz.model.loading import load
from se_viz.weights.head import Head, HeadMismatch
from se_viz.zoo import registry


def in_train_mode():
    host = Host(SELayer()).train()
    host.stem[1].eval()
    return host


def test_a_model_holds_its_network_ready_until_it_is_closed():
    host = in_train_mode()
    before = modes(host)
    held = model(host)
    attached = hooks(host)
    assert attached == 2
    assert not any(modes(host).values())
    capture(held, make_images(2), ["SE_1_1"])
    capture(host, make_images(2), ["SE_1_1"])
    assert hooks(host) == attached
    held.close()
    held.close()
    assert hooks(host) == 0
    assert modes(host) == before
    # It can still be read, as any network.
    assert len(capture(held, make_images(2)).gates) == 1
    assert hooks(host) == 0
    assert modes(host) == before


def test_two_models_of_one_network_do_not_take_each_other_apart():
    host = in_train_mode()
    before = modes(host)
    first, second = model(host), model(host)
    expected = capture(first, make_images(2))
    first.close()
    assert not any(modes(host).values())
    np.testing.assert_array_equal(capture(second, make_images(2))["SE_1_1"].s, expected["SE_1_1"].s)
    second.close()
    assert hooks(host) == 0
    assert modes(host) == before


def test_a_forgotten_model_lets_go_of_its_network():
    host = in_train_mode()
    before = modes(host)
    held = model(host)
    capture(held, make_images(2))
    del held
    gc.collect()
    assert hooks(host) == 0
    assert modes(host) == before


@pytest.mark.parametrize(
    "look", [lambda host: capture(host, make_images(2)), lambda host: capture(model(host), make_images(2))]
)
def test_a_network_that_was_read_can_be_forgotten(look):
    host = in_train_mode()
    gone = ref(host)
    look(host)
    del host
    gc.collect()
    assert gone() is None


def test_a_network_without_gates_makes_no_model():
    host = Host(torch.nn.ReLU()).train()
    with pytest.raises(NoGateFound):
        model(host)
    assert hooks(host) == 0
    assert all(modes(host).values())


def test_input_images_images_and_tensors_are_all_taken():
    held = model(Host(SELayer()))
    image = Image.effect_noise((40, 50), 64).convert("RGB")
    decoded = InputImage("noise", "0" * 64, image, image.size)
    once = capture(held, held.preprocess(image))
    for images in (image, decoded, [image], (decoded,), iter([image])):
        np.testing.assert_array_equal(capture(held, images).logits, once.logits)
    np.testing.assert_allclose(capture(held, [image, decoded]).logits, once.logits.repeat(2, 0), rtol=1e-5, atol=1e-6)
    assert held.device == torch.device("cpu")
    assert [gate.name for gate in held.gates] == ["SE_1_1"]


def test_a_registered_model_is_loaded_by_name(register):
    network = registry.Network(Host(SELayer()), Preprocess((32, 32), 32), ("a", "b", "c", "d", "e"), "a test's")
    register("mine", lambda: network)
    loaded = load("mine", "cpu")
    assert (loaded.name, loaded.classes, loaded.about) == ("mine", network.classes, "a test's")
    assert loaded.network is network.module
    with pytest.raises(registry.UnknownModel, match=r"There is no model 'yours'\..* Choose one of .*mine"):
        load("yours")
    loaded.close()


@pytest.mark.slow
def test_a_model_says_what_its_outputs_mean():
    assert se_viz.load("demo/r16", "cpu").head == Head("classes")  # its card is older than heads
    assert se_viz.load("demo/r16", "cpu", head="labels").head == Head("labels")
    assert se_viz.load("demo/r16", "cpu", head=Head("labels", 0.3)).head.threshold == 0.3
    with pytest.raises(HeadMismatch, match="this network has 10"):
        se_viz.load("demo/r16", "cpu", head="binary")


def test_another_head_is_another_view_of_the_same_network():
    made = model(demo())
    other = made.with_head("labels")
    assert (made.head, other.head) == (None, Head("labels"))
    assert other.instrument is made.instrument
    with other.reference() as plain:
        assert plain.head == Head("labels")
    other.close()
    assert hooks(made.network) == 0


def test_a_registered_network_may_say_its_head(register):
    entry = registry.Network(demo(), Preprocess((32, 32), 32), (), "made here", Head("features"))
    register("test/features", lambda: entry)
    assert se_viz.load("test/features", "cpu").head == Head("features")
