import io
import random
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.faulty_disk import full_disk

from se_viz.data.imagenette import Labelled
from se_viz.demo import build as making
from se_viz.demo import training
from se_viz.demo.recipe import Recipe
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.demo.training import Diverged, train
from se_viz.disk import sole_writer
from se_viz.disk.errors import FolderGone, InUse, WriteFailed

CONFIG = SEResNetConfig(width=4, num_classes=2)
RECIPE = Recipe(epochs=4, batch=8, sizes=((32, 0.5), (48, 0.5)))


def data() -> Labelled:
    """Dark images of class 0 and bright ones of class 1."""
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    pixels = (rng.integers(0, 100, (24, 3, 64, 64)) + 150 * labels[:, None, None, None]).astype(np.uint8)
    return Labelled(pixels, labels, tuple(map(str, range(24))))


def run(path, *, recipe=RECIPE, seed=0, evaluate=lambda _network: 0.5):
    return train(
        CONFIG, data(), recipe=recipe, seed=seed, checkpoint=path, device=torch.device("cpu"), evaluate=evaluate
    )


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.slow
def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(tmp_path):
    whole = run(tmp_path / "whole.pt")

    def cut(_network):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut.pt", evaluate=cut)
    seen = []
    resumed = run(tmp_path / "cut.pt", evaluate=lambda network: seen.append(network) or 0.5)
    assert same(whole.network, resumed.network)
    assert [entry["epoch"] for entry in resumed.log] == [1, 2, 3, 4]
    assert len(seen) == 2
    assert not resumed.network.training


@pytest.mark.slow
def test_the_seed_decides_everything(tmp_path):
    first, again, other = (run(tmp_path / f"{i}.pt", seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert same(first.network, again.network)
    assert not same(first.network, other.network)


@pytest.mark.slow
def test_it_learns(tmp_path):
    log = run(
        tmp_path / "a.pt",
        recipe=Recipe(epochs=12, batch=8, sizes=((32, 1.0),), peak_lr=0.02, averaging=0.8, augment=False),
    ).log
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]


def test_a_training_whose_loss_is_no_number_ends_and_says_so(tmp_path):
    recipe = replace(RECIPE, peak_lr=1e30)
    with pytest.raises(Diverged, match=rf"diverged in epoch \d of {recipe.epochs}: its loss is not a finite number"):
        run(tmp_path / "a.pt", recipe=recipe)


@pytest.mark.slow
def test_another_trainings_checkpoint_is_refused(tmp_path):
    run(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="belongs to another network, recipe or seed"):
        run(tmp_path / "a.pt", seed=5)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("pwned",)

    torch.save({"identity": Evil()}, tmp_path / "a.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        run(tmp_path / "a.pt")


def test_sizes_follow_the_recipe():
    recipe = Recipe()
    sizes = [recipe.size(epoch) for epoch in range(recipe.epochs)]
    assert sizes == sorted(sizes)
    assert set(sizes) == {80, 96, 112, 128}
    assert recipe.size(recipe.epochs) == 128


def loaded(path):
    """What a checkpoint holds, and why it was refused; one of both is None."""
    try:
        return training._load(path), None
    except ValueError as error:
        return None, str(error)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_never_gone_on_with(tmp_path):
    path = tmp_path / "a.pt"
    run(path)
    content, rng, refused = path.read_bytes(), random.Random(0), 0
    whole = torch.load(io.BytesIO(content), weights_only=True)
    for number in range(150):
        damaged, start = bytearray(content), rng.randrange(len(content))
        if number % 3 == 0:
            del damaged[start:]
        else:
            damaged[start : start + 64] = bytes(64) if number % 3 == 1 else bytes([damaged[start] ^ 4])
        path.write_bytes(damaged)
        saved, said = loaded(path)
        if said:
            assert said.startswith(f"{path} is damaged or not a checkpoint (")
            assert said.endswith(": remove it to train from the start.")
            refused += 1
        else:  # a date, or what fills the space between two tensors
            assert repr(saved) == repr(whole)
    assert refused > 100


@pytest.mark.slow
def test_a_full_disk_says_which_epoch_is_kept_and_the_training_goes_on_there(tmp_path):
    whole, path = run(tmp_path / "whole.pt"), tmp_path / "work" / "a.pt"
    size = (tmp_path / "whole.pt").stat().st_size
    with full_disk(tmp_path, 100), pytest.raises(WriteFailed) as failed:
        run(path)
    assert str(failed.value).startswith(
        f"The disk of {path.parent} is full, so {path} was not written: free some space"
    )
    assert str(failed.value).endswith("Nothing of the training is kept: start it again.")
    with full_disk(tmp_path, 3 * size), pytest.raises(WriteFailed) as failed:
        run(path)
    kept = re.search(r"The training is kept in (.*) as it was after epoch (\d): start again", str(failed.value))
    assert kept[1] == str(path)
    assert torch.load(path, weights_only=True)["epoch"] == int(kept[2])
    assert list(path.parent.iterdir()) == [path]
    resumed = run(path)
    assert same(whole.network, resumed.network)


def test_a_folder_that_vanishes_is_said(tmp_path):
    path = tmp_path / "work" / "a.pt"
    with pytest.raises(FolderGone, match=r"work does not exist, .* Nothing of the training is kept"):
        run(path, evaluate=lambda _network: shutil.rmtree(path.parent) or 0.5)


def make(tiny_imagenette, tmp_path):
    recipe = Recipe(epochs=1, batch=10, sizes=((32, 1.0),))
    place = torch.device("cpu")
    return making.make(
        SEResNetConfig(width=4),
        tiny_imagenette,
        out=tmp_path / "out",
        work=tmp_path / "work",
        recipe=recipe,
        device=place,
    )


@pytest.mark.slow
@pytest.mark.parametrize("held", ["work/r16.pt", "out/r16.safetensors"])
def test_a_network_that_another_process_trains_is_not_trained_beside_it(tiny_imagenette, tmp_path, monkeypatch, held):
    monkeypatch.setattr(sole_writer, "PATIENCE", 0.05)
    with sole_writer.sole_writer(tmp_path / held), pytest.raises(InUse, match=rf"{held} is being written by another"):
        make(tiny_imagenette, tmp_path)
    make(tiny_imagenette, tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["r16.json", "r16.safetensors"]
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.slow
def test_a_finished_training_that_cannot_be_written_is_kept(tiny_imagenette, tmp_path):
    with full_disk(tmp_path / "out", 5000), pytest.raises(WriteFailed) as failed:
        make(tiny_imagenette, tmp_path)
    checkpoint = tmp_path / "work" / "r16.pt"
    said = f"The training is finished and kept in {checkpoint}. Run the command again to write the model."
    assert str(failed.value).endswith(said)
    assert not list((tmp_path / "out").iterdir())
    card = make(tiny_imagenette, tmp_path)
    assert (tmp_path / "out" / "r16.safetensors").stat().st_size == card.bytes
