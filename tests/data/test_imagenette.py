import tarfile

import numpy as np
import pytest

from se_viz.data.imagenette import load
from se_viz.data.preprocess import Preprocess

PIXELS = Preprocess(crop=(64, 64), resize=64).pixels


def test_a_tar_a_folder_and_its_parent_hold_the_same(tiny_imagenette, tmp_path):
    with tarfile.open(tiny_imagenette) as archive:
        archive.extractall(tmp_path, filter="data")
    sources = [tiny_imagenette, tmp_path / "imagenette2-224", tmp_path]
    for split, count in (("train", 20), ("val", 10)):
        loaded = [load(source, split, PIXELS) for source in sources]
        assert len(loaded[0]) == count
        assert loaded[0].pixels.shape == (count, 3, 64, 64)
        assert sorted(set(loaded[0].labels)) == list(range(10))
        for other in loaded[1:]:
            assert other.names == loaded[0].names
            np.testing.assert_array_equal(other.pixels, loaded[0].pixels)
            np.testing.assert_array_equal(other.labels, loaded[0].labels)


def test_a_folder_of_something_else_is_refused_with_a_way_on(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"looked for val/n01440764.*download=True"):
        load(tmp_path, "val", PIXELS)
