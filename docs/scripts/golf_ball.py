"""Draw the sample image of a golf ball on grass: no free photograph of a class of the demo models was at hand.

Usage: python docs/scripts/golf_ball.py se_viz/data/samples/golf_ball.jpg
"""

import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import cKDTree

SIDE = 640  # pixels of the image
CENTRE, RADIUS = 330, 150  # of the ball, pixels
GROUND = CENTRE + RADIUS  # the row where it lies
SUN = np.array([-0.45, -0.72, 0.53]) / np.linalg.norm([-0.45, -0.72, 0.53])
DIMPLES, DIMPLE = 392, 0.086  # number, and radius as a chord of the unit sphere
OVERSAMPLED = 3
random = np.random.default_rng(7)


def meadow() -> Image.Image:
    """Return the ground behind all blades, in blotches of green."""
    down = np.linspace(0, 1, SIDE)[:, None, None]
    green = np.array([0.30, 0.42, 0.16]) * (1 - down) + np.array([0.16, 0.30, 0.06]) * down + np.zeros((1, SIDE, 1))
    coarse = Image.fromarray((random.random((20, 20)) * 255).astype(np.uint8))
    blotches = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)[..., None] / 255
    return Image.fromarray((np.clip(green * (0.75 + 0.5 * blotches), 0, 1) * 255).astype(np.uint8))


def grass(image: Image.Image, first: float, last: float, count: int, shadow: tuple[float, ...] = ()) -> None:
    """Draw blades that grow from rows ``first`` to ``last``, the far ones first.

    Args:
        image: drawn into.
        first, last: rows.
        count: number of blades.
        shadow: column, row and the two radii of an ellipse in which blades are dark.
    """
    draw = ImageDraw.Draw(image)
    for row in np.sort(random.uniform(first, last, count)):
        near = (row - 40) / (SIDE - 40)
        length, width = (8 + 95 * near) * random.uniform(0.5, 1.1), 1 + 5.5 * near * random.uniform(0.5, 1)
        x = random.uniform(-20, SIDE + 20)
        lean = random.normal(0, 0.45) * length
        green = np.array([0.30, 0.52, 0.12]) * random.uniform(0.45, 1.35) + random.normal(0, 0.03, 3)
        if random.random() < 0.06:
            green = np.array([0.62, 0.58, 0.30]) * random.uniform(0.7, 1.1)  # dry
        if shadow:
            green *= 0.35 + 0.65 * min(1, ((x - shadow[0]) / shadow[2]) ** 2 + ((row - shadow[1]) / shadow[3]) ** 2)
        bend, middle = x + 0.3 * lean, row - 0.6 * length
        outline = [(x - width / 2, row), (bend - width / 3, middle), (x + lean, row - length)]
        outline += [(bend + width / 3, middle), (x + width / 2, row)]
        draw.polygon(outline, fill=tuple((255 * np.clip(green, 0, 1)).astype(int).tolist()))


def normals() -> np.ndarray:
    """Return the normals of a unit sphere with dimples, seen from +z (n, n, 3); z is 0 outside of it."""
    n = 2 * RADIUS * OVERSAMPLED
    y, x = (np.mgrid[0:n, 0:n] + 0.5) * 2 / n - 1
    sphere = np.stack([x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))], -1)
    index = np.arange(DIMPLES) + 0.5  # evenly over the sphere: Fibonacci's spiral
    down, around = np.arccos(1 - 2 * index / DIMPLES), np.pi * (1 + 5**0.5) * index
    centres = np.stack([np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down)], -1)
    turned = centres @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    distance, nearest = cKDTree(turned).query(sphere.reshape(-1, 3))
    inside = np.clip(distance / DIMPLE, 0, 1).reshape(n, n, 1)
    towards = turned[nearest].reshape(n, n, 3)
    towards = towards - sphere * (towards * sphere).sum(-1, keepdims=True)
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True) + 1e-9
    bent = sphere + 0.62 * inside * (1 - inside**4) * towards
    return bent / np.linalg.norm(bent, axis=-1, keepdims=True) * (sphere[..., 2:] > 0)


def ball() -> Image.Image:
    """Return the ball in the sun, with an alpha channel."""
    normal = normals()
    n = len(normal)
    y, x = (np.mgrid[0:n, 0:n] + 0.5) * 2 / n - 1
    half = (SUN + np.array([0, 0, 1])) / np.linalg.norm(SUN + np.array([0, 0, 1]))
    sun = np.clip(normal @ SUN, 0, 1)[..., None]
    sky = 0.5 - 0.5 * normal[..., 1:2]
    gloss = np.clip(normal @ half, 0, 1)[..., None] ** 60
    colour = 0.70 * sun * [1.0, 0.98, 0.93] + 0.34 * sky * [0.92, 0.96, 1.0]
    colour += 0.16 * (1 - sky) * [0.45, 0.62, 0.25] + 0.35 * gloss  # light from the grass, and of the sun itself
    colour *= (0.8 + 0.2 * np.sqrt(np.clip(1 - x**2 - y**2, 0, 1)))[..., None]
    edge = np.clip((1 - np.hypot(x, y)) * n / 2, 0, 1)
    pixels = (np.dstack([np.clip(colour, 0, 1), edge]) * 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((2 * RADIUS, 2 * RADIUS), Image.Resampling.LANCZOS)


def main() -> None:
    """Write the image as JPEG: far blades are blurred as by a lens, and near ones hide the foot of the ball."""
    image = meadow()
    grass(image, 60, 330, 5000)
    image = image.filter(ImageFilter.GaussianBlur(4))
    grass(image, 300, 470, 2600, (CENTRE + 40, GROUND - 10, 1.3 * RADIUS, 60))
    image = image.filter(ImageFilter.GaussianBlur(1.2))
    drawn = ball()
    image.paste(drawn, (CENTRE - RADIUS, CENTRE - RADIUS), drawn)
    grass(image, GROUND - 10, GROUND + 60, 420, (CENTRE + 30, GROUND, 1.2 * RADIUS, 50))
    grass(image, GROUND + 40, SIDE + 90, 1100)
    image = image.filter(ImageFilter.GaussianBlur(0.8))
    grain = np.asarray(image, float) + random.normal(0, 3, (SIDE, SIDE, 3))
    Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).save(sys.argv[1], quality=88)


if __name__ == "__main__":
    main()
