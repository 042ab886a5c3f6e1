import numpy as np
import pytest
import torch

from se_viz.data.imagenette import Labelled
from se_viz.zoo.recipe import Recipe
from se_viz.zoo.seresnet import SEResNetConfig
from se_viz.zoo.training import train

CONFIG = SEResNetConfig(width=4, num_classes=2)
RECIPE = Recipe(epochs=4, batch=8, sizes=((32, 0.5), (48, 0.5)))


def data() -> Labelled:
    """Dark pictures of class 0 and bright ones of class 1."""
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


def test_the_seed_decides_everything(tmp_path):
    first, again, other = (run(tmp_path / f"{i}.pt", seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert same(first.network, again.network)
    assert not same(first.network, other.network)


def test_it_learns(tmp_path):
    log = run(
        tmp_path / "a.pt",
        recipe=Recipe(epochs=12, batch=8, sizes=((32, 1.0),), peak_lr=0.02, averaging=0.8, augment=False),
    ).log
    assert log[-1]["loss"] < 0.6 * log[0]["loss"]


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
