import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from se_viz import capture, load
from se_viz.analysis.demo_responses import Responses, bundled_path, excitations, measure, response
from se_viz.analysis.health import health
from se_viz.analysis.similarity import effective_rank, linear_cka
from se_viz.data.imagenette import Labelled
from se_viz.demo import pretrained as demo
from se_viz.device.devices import resolve


@pytest.fixture(scope="module")
def data():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 128, 128), dtype=np.uint8)
    return Labelled(pixels, np.zeros(5, np.int64), tuple("abcde"))


@pytest.mark.slow
def test_numbers_are_those_of_a_capture(data):
    found = measure([(demo.card(name), demo.folder()) for name in ("r16", "r2")], data, resolve("cpu"))
    assert (found.images, list(found.networks)) == (5, ["r16", "r2"])
    s = {}
    for name in found.networks:
        model = load(f"demo/{name}", "cpu")
        images = model.preprocess.normalise(torch.from_numpy(data.pixels))
        s[name] = capture(model, images)["SE_3_2"].s
        got = found.networks[name].gates["SE_3_2"]
        assert got.spread == pytest.approx(health(s[name]).spread, rel=1e-3)
        assert got.rank == pytest.approx(effective_rank(s[name]), rel=1e-3)
        assert found.networks[name].sha256 == demo.card(name).sha256
    assert found.cka("r16", "r2")["SE_3_2"] == pytest.approx(linear_cka(s["r16"], s["r2"]), rel=1e-3)
    assert found.cka("r2", "r16") == found.cka("r16", "r2")
    assert found.cka("r2", "r99") == {}


@pytest.mark.slow
def test_batches_do_not_matter(data):
    model = load("demo/r16", "cpu")
    whole, cut = excitations(model, data, 5), excitations(model, data, 2)
    for gate, s in whole.items():
        np.testing.assert_allclose(s, cut[gate], atol=1e-5)
        assert response(s).channels == s.shape[1]


def test_networks_that_are_not_here_keep_what_was_measured_of_the_same_weights():
    seen = Responses.read(bundled_path())
    weights = {name: network.sha256 for name, network in seen.networks.items()}
    twin = "r16-seed1"
    others = {name: network for name, network in seen.networks.items() if name != twin}
    pairs = {pair: by for pair, by in seen.alike.items() if twin not in pair}
    again = Responses(seen.images, others, pairs)
    assert again.keeping(seen, weights) == seen
    assert again.keeping(seen, weights | {twin: "0" * 64}) == again
    assert Responses(7, others, pairs).keeping(seen, weights) == Responses(7, others, pairs)
    # What is measured now counts, and likeness to a network that has changed is not kept.
    moved = replace(again, networks=others | {"r2": replace(others["r2"], sha256="1" * 64)}, alike={})
    kept = moved.keeping(seen, weights | {"r2": "1" * 64})
    assert kept.networks["r2"].sha256 == "1" * 64
    assert kept.cka("r16", twin) == seen.cka("r16", twin)
    assert kept.cka("r2", twin) == {}


def test_files_are_read_as_they_were_written_and_checked(tmp_path):
    path = tmp_path / "new" / "responses.json"
    path.parent.mkdir()
    shutil.copy(bundled_path(), path)
    found = Responses.read(path)
    found.write(path)
    assert Responses.read(path) == found
    path.write_text(path.read_text().replace('"images": ', '"images": "many", "x": '))
    with pytest.raises(ValidationError, match="images"):
        Responses.read(path)


def test_the_shipped_responses_are_of_the_shipped_weights():
    found = Responses.read(bundled_path())
    assert found.images == 3925
    cards = {card.name: card for card in demo.cards() if card.network.gated}
    assert {card.name for card in cards.values() if not card.seed} <= set(found.networks) <= set(cards)
    for name, network in found.networks.items():
        assert network.sha256 == cards[name].sha256
        for one in network.gates.values():
            assert one.rank <= one.channels
            assert (one.rank >= 1) == (one.variation > 0)
    assert json.loads(bundled_path().read_text())["networks"].keys() == found.networks.keys()


def test_a_network_whose_weights_are_broken_is_not_measured_as_if_it_were_whole(data, monkeypatch):
    s = np.random.default_rng(0).uniform(size=(5, 4)).astype(np.float32)
    s[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"s of this gate is not finite.*1 is NaN"):
        response(s)
    monkeypatch.setattr("se_viz.analysis.demo_responses.excitations", lambda *_: {"SE_2_1": s})
    with pytest.raises(ValueError, match=r"r16, SE_2_1: .*1 of 4 channels and 1 of 5 images"):
        measure([(demo.card("r16"), demo.folder())], data, resolve("cpu"))


def test_the_shipped_numbers_are_still_those_of_health():
    """Shares and means are as they were when the file was measured; only words have changed since."""
    s = np.random.default_rng(0).uniform(size=(50, 40)).astype(np.float32)
    got = response(s)
    assert got.near_0 == pytest.approx((np.abs(s) < 0.1).mean(), rel=1e-3)
    assert got.near_1 == pytest.approx((np.abs(s - 1) < 0.1).mean(), rel=1e-3)
    assert got.variation == pytest.approx(s.std(axis=0).mean(), rel=1e-3)
