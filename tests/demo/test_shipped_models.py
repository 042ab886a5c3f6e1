import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load

from se_viz.data import imagenette
from se_viz.demo import evaluate as measure
from se_viz.demo import pretrained as demo
from se_viz.demo.build import name_of
from se_viz.demo.card import Card
from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.demo.verify import verify
from se_viz.device.devices import resolve
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.meta_model import count_params

# Imagenette, where somebody says where it is: it does not come with the project.
DATA = Path(os.environ["SE_VIZ_DATA"]) if "SE_VIZ_DATA" in os.environ else None


@pytest.mark.parametrize("name", demo.names())
def test_shipped_model_is_the_one_its_card_describes(name):
    card = demo.card(name)
    network = demo.network(card)
    assert not network.training
    assert name == card.name == name_of(card.network, card.seed)
    assert card.bytes == (demo.folder() / f"{name}.safetensors").stat().st_size
    assert card.params == count_params(network)
    assert card.macs == measure.count_macs(network, card.preprocess.crop)
    assert card.accuracy == measure.accuracy(card.accuracy.correct, card.accuracy.of)
    assert card.data == {"train": 9469, "val": 3925}
    assert card.log[-1]["epoch"] == card.recipe.epochs


def test_the_standard_model_is_shipped_and_good():
    card = demo.card("r16")
    assert card.network == SEResNetConfig()
    assert card.accuracy.top1 >= 0.90
    assert card.bytes <= 6_000_000
    assert card.accuracy.low < card.accuracy.top1 < card.accuracy.high


@pytest.mark.skipif(not DATA, reason="Imagenette is not here; SE_VIZ_DATA names it")
def test_a_sample_of_the_shipped_files_measures_as_its_cards_say():
    images = imagenette.load(DATA, "val", PREPROCESS.pixels)
    for name in ("r16", "no-se"):
        verified = verify(demo.card(name), images, demo.folder(), resolve("cpu"))
        assert verified.changed is not None
        assert verified.agrees


def test_other_seeds_follow_the_models(copy):
    (copy / "seeds").mkdir()
    replace(demo.card("r16"), name="r16-seed1", seed=1).write(copy / "seeds" / "r16-seed1.json")
    assert [card.name for card in demo.cards(copy)] == ["r16", "r16-seed1"]
    assert [(card.name, base) for card, base in demo.stored(copy)] == [("r16", copy)]
    shutil.copy(copy / "r16.safetensors", copy / "seeds" / "r16-seed1.safetensors")
    (card, base) = demo.stored(copy)[1]
    assert demo.network(card, base) is not None


def test_kernels_are_stored_in_half_and_computed_in_single_precision():
    card = demo.card("r16")
    stored = load((demo.folder() / "r16.safetensors").read_bytes())
    for name, tensor in demo.network(card).state_dict().items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float32
            assert stored[name].dtype == (torch.float16 if tensor.ndim > 1 else torch.float32)


def test_storing_and_restoring_keeps_the_network(model):
    restored = demo.restore(demo.store(model.network), SEResNetConfig())
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 128, 128)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(restored(images), model.network(images), rtol=0, atol=5e-3)
    assert demo.store(restored) == demo.store(demo.restore(demo.store(restored), SEResNetConfig()))


@pytest.fixture
def copy(tmp_path):
    for suffix in ("json", "safetensors"):
        shutil.copy(demo.folder() / f"r16.{suffix}", tmp_path)
    return tmp_path


def test_changed_weights_are_refused(copy):
    path = copy / "r16.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsRefused, match="sha256 differs"):
        demo.network(demo.card("r16", copy), copy)


def test_missing_weights_are_refused(copy):
    (copy / "r16.safetensors").unlink()
    with pytest.raises(WeightsRefused, match="missing"):
        demo.network(demo.card("r16", copy), copy)


def test_a_card_is_read_as_it_was_written_and_checked(copy):
    card = demo.card("r16", copy)
    card.write(copy / "again.json")
    assert Card.read(copy / "again.json") == card
    (copy / "again.json").write_text(
        (copy / "again.json").read_text().replace('"params": ', '"params": "many" , "x": ')
    )
    with pytest.raises(ValidationError, match="params"):
        Card.read(copy / "again.json")


def test_names_say_what_differs():
    assert name_of(SEResNetConfig()) == "r16"
    assert name_of(SEResNetConfig(r=None)) == "no-se"
    assert name_of(SEResNetConfig(r=4, squeeze="max", gate="tanh"), seed=2) == "r4-max-tanh-seed2"
    assert name_of(SEResNetConfig(gated_stages=(2, 3, 4), integration="pre")) == "r16-pre-stages234"
