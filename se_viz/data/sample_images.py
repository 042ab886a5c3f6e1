"""Free photographs to begin with, without a network: they lie in the wheels of scikit-image and scikit-learn."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from se_viz.data.images import Picture, decode


@dataclass(frozen=True)
class Sample:
    """A photograph of the gallery.

    Attributes:
        key: the argument of ``load``.
        title: what is to be seen.
        source: the file, below the folder that packages are installed in.
        licence: licence and author as the package states them.
    """

    key: str
    title: str
    source: str
    licence: str


class UnknownSample(KeyError):
    """There is no sample of that name."""

    def __str__(self) -> str:
        return f"There is no sample {self.args[0]!r}; there are {', '.join(sample.key for sample in SAMPLES)}."


# Stated in the docstrings of skimage/data/_fetchers.py and in sklearn/datasets/images/README.txt.
SAMPLES = (
    Sample("cat", "Chelsea the cat", "skimage/data/chelsea.png", "CC0, Stefan van der Walt"),
    Sample("coffee", "A cup of coffee", "skimage/data/coffee.png", "CC0, Rachel Michetti"),
    Sample("temple", "A temple in China", "sklearn/datasets/images/china.jpg", "CC BY 2.0, danielbuechele"),
    # The README names one person and links to the page of another (flickr.com/photos/vultilion): both are given.
    Sample("flower", "A dahlia", "sklearn/datasets/images/flower.jpg", "CC BY 2.0, danielbuechele / vultilion"),
    Sample("rocket", "A Falcon 9 on its launch pad", "skimage/data/rocket.jpg", "Public domain, SpaceX"),
    Sample("astronaut", "Astronaut Eileen Collins", "skimage/data/astronaut.png", "Public domain, NASA"),
    Sample("galaxies", "Hubble eXtreme Deep Field", "skimage/data/hubble_deep_field.jpg", "Public domain, NASA"),
    Sample("retina", "The back of a human eye", "skimage/data/retina.jpg", "CC0, Mikael Häggström"),
)


@cache
def load(key: str) -> Picture:
    """The sample of that key; the same object every time, so its image must not be changed.

    Raises:
        UnknownSample: the message lists the keys there are.
        FileNotFoundError: the package that holds the file is not installed.
    """
    for sample in SAMPLES:
        if sample.key == key:
            picture = decode(sample.source, _file(sample.source).read_bytes())
            return replace(picture, name=sample.title, licence=sample.licence)
    raise UnknownSample(key)


def _file(source: str) -> Path:
    """Where the file lies; its package is found but not imported, which would take a second."""
    package, inside = source.split("/", 1)
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"The sample {source} comes with a package that is not installed: {package}.")
    return Path(spec.submodule_search_locations[0], inside)
