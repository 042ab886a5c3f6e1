import subprocess
import sys

import numpy as np
import pytest

from se_viz.data import sample_images as samples
from se_viz.data.sample_images import SAMPLES, Sample, UnknownSample, load


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.key)
def test_every_sample_is_a_colour_photograph(sample: Sample) -> None:
    picture = load(sample.key)
    assert (picture.name, picture.licence) == (sample.title, sample.licence)
    assert min(picture.image.size) >= 300
    red, green, blue = np.moveaxis(np.asarray(picture.image).astype(int), -1, 0)
    assert (abs(red - green) + abs(green - blue)).mean() > 2
    assert load(sample.key) is picture


def test_every_sample_is_another_picture_with_its_licence() -> None:
    assert len({load(sample.key) for sample in SAMPLES}) == len(SAMPLES) == len({sample.key for sample in SAMPLES})
    assert all(sample.licence.startswith(("CC0, ", "CC BY 2.0, ", "Public domain, ")) for sample in SAMPLES)


def test_an_unknown_key_lists_those_there_are() -> None:
    with pytest.raises(UnknownSample) as caught:
        load("dog")
    assert str(caught.value) == f"There is no sample 'dog'; there are {', '.join(sample.key for sample in SAMPLES)}."


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    load.cache_clear()
    with pytest.raises(FileNotFoundError, match="not installed: skimage"):
        load("cat")


def test_the_heavy_packages_are_not_imported() -> None:
    program = (
        "import sys; from se_viz.data.sample_images import SAMPLES, load; [load(sample.key) for sample in SAMPLES];"
        "print([name for name in ('skimage', 'sklearn', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
