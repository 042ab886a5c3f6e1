"""Many small maps as one image."""

import numpy as np

from se_viz.types import Float32s

TILE = 32  # pixels; smaller maps are enlarged to about this, so that the gaps between tiles look the same


def mosaic(tiles: Float32s) -> tuple[Float32s, int]:
    """Arrange maps in a grid with gaps of NaN.

    Args:
        tiles: maps (rows, columns, H, W).

    Returns:
        The image (rows · p, columns · p), and p, the distance from one tile to the next, in pixels.
    """
    rows, columns, height, width = tiles.shape
    factor = max(1, round(TILE / max(height, width)))
    side = max(height, width) * factor
    gap = max(1, side // 16)
    pitch = side + gap
    image = np.full((rows * pitch, columns * pitch), np.nan, dtype=np.float32)
    large = tiles.repeat(factor, axis=2).repeat(factor, axis=3)
    for row in range(rows):
        for column in range(columns):
            top, left = row * pitch, column * pitch
            image[top : top + height * factor, left : left + width * factor] = large[row, column]
    return image, pitch
