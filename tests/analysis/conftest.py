import numpy as np
import pytest


@pytest.fixture
def labelled():
    """Channel 0 is chance, 1 and 2 depend on the class more and more, 3 never moves."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3], 90)
    shift = np.array([0.2, 0.5, 0, 0.8])[labels]
    noise = rng.uniform(-0.1, 0.1, (90, 4))
    s = np.stack([0.5 + noise[:, 0], 0.4 + 0.2 * shift + noise[:, 1], shift + noise[:, 2], np.full(90, 0.3)], axis=1)
    return s, labels
