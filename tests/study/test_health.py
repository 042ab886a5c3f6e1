import numpy as np
import pytest

from se_viz.study.health import health

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("s", "verdict"),
    [
        (np.full((4, 50), 0.02), "dead"),
        (np.full((4, 50), 0.98), "saturated"),
        (np.full((4, 50), 0.5), "constant"),
        (np.full((1, 50), 0.65), "constant"),
        (np.tile(RNG.uniform(0.2, 0.8, 50), (4, 1)), "constant"),
        (RNG.uniform(0.1, 0.9, (4, 50)), "working"),
        (RNG.uniform(0.1, 0.9, (1, 50)), "working"),
        (RNG.uniform(-0.95, -0.65, (4, 50)), "working"),  # tanh that turns channels round does not shut them
        (RNG.uniform(1.0, 5.0, (4, 50)), "working"),  # nor does ReLU that amplifies leave them as they are
    ],
)
def test_each_state_of_a_gate_has_its_verdict(s, verdict):
    found = health(s.astype(np.float32))
    assert found.verdict == verdict
    assert found.meaning.endswith(".")


def test_numbers_are_what_they_say():
    s = np.array([[0.0, 0.05, 0.5, 1.0], [0.0, 0.95, 0.5, 1.0]], dtype=np.float32)
    found = health(s)
    assert found.mean == pytest.approx(s.mean())
    assert found.shut == pytest.approx(3 / 8)
    assert found.open == pytest.approx(3 / 8)
    assert found.clipped == pytest.approx(4 / 8)
    assert found.spread == pytest.approx(np.mean([s[0].std(), s[1].std()]))
    assert found.variation == pytest.approx(0.45 / 4)


def test_one_image_says_nothing_about_variation():
    found = health(RNG.uniform(size=(1, 9)).astype(np.float32))
    assert found.variation is None
    assert "second picture" in found.meaning
