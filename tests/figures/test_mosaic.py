import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from se_viz.figures.mosaic import mosaic


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 70), st.integers(1, 70))
def test_every_map_stands_in_its_place_and_only_gaps_are_empty(rows, columns, height, width):
    tiles = np.arange(rows * columns * height * width, dtype=np.float32).reshape(rows, columns, height, width)
    image, pitch = mosaic(tiles)
    assert image.shape == (rows * pitch, columns * pitch)
    for row in range(rows):
        for column in range(columns):
            cell = image[row * pitch : (row + 1) * pitch, column * pitch : (column + 1) * pitch]
            shown = cell[~np.isnan(cell).all(axis=1)][:, ~np.isnan(cell).all(axis=0)]
            factor = shown.shape[0] // height
            np.testing.assert_array_equal(shown[::factor, ::factor], tiles[row, column])
            assert np.isnan(cell[-1]).all()
