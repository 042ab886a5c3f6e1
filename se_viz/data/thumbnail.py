"""Small images as text, for a page or a figure that must not fetch anything."""

import base64
import io

from PIL import Image, ImageOps


def data_url(rgb: Image.Image, side: int, *, square: bool = False) -> str:
    """Return a small JPEG of an image as a data URL.

    Args:
        rgb: the image.
        side: its longer side in pixels at most.
        square: whether it is cut to its central square.
    """
    small = ImageOps.fit(rgb, (side, side)) if square else rgb.copy()
    small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
