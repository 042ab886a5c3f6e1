"""Free sample images, available offline; samples/LICENCES.md gives the source of each."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from se_viz.data.images import InputImage, decode

_FOLDER = Path(__file__).with_name("samples")


@dataclass(frozen=True)
class Sample:
    """A sample image.

    Attributes:
        key: the argument of ``sample``.
        title: a description of the image.
        file: its name in the folder ``samples``.
        licence: licence and author.
        shows: the classes of Imagenette, those of the demo models, that it shows.
    """

    key: str
    title: str
    file: str
    licence: str
    shows: tuple[str, ...] = ()


class UnknownSample(KeyError):
    """There is no sample with that key."""

    def __str__(self) -> str:
        return f"There is no sample {self.args[0]!r}: choose one of {', '.join(sample.key for sample in SAMPLES)}."


SAMPLES = (
    Sample("golfball", "A golf ball (drawn)", "golf_ball.jpg", "CC0, SE Viz", shows=("golf ball",)),
    Sample("cat", "Chelsea the cat", "chelsea.png", "CC0, Stefan van der Walt"),
    Sample("coffee", "A cup of coffee", "coffee.png", "CC0, Rachel Michetti"),
    Sample("temple", "A temple in China", "china.jpg", "CC BY 2.0, danielbuechele"),
    Sample("flower", "A dahlia", "flower.jpg", "CC BY 2.0, danielbuechele / vultilion"),
    Sample("rocket", "A Falcon 9 on its launch pad", "rocket.jpg", "Public domain, SpaceX"),
    Sample("astronaut", "Astronaut Eileen Collins", "astronaut.png", "Public domain, NASA"),
    Sample("galaxies", "Hubble eXtreme Deep Field", "hubble_deep_field.jpg", "Public domain, NASA"),
    Sample("retina", "The back of a human eye", "retina.jpg", "CC0, Mikael Häggström"),
)


@cache
def sample(key: str) -> InputImage:
    """Return the sample with a key; it is the same object every time, so its image must not be changed.

    Raises:
        UnknownSample: there is no such sample; the message lists all keys.
    """
    for known in SAMPLES:
        if known.key == key:
            image = decode(known.file, (_FOLDER / known.file).read_bytes())
            return replace(image, name=known.title, licence=known.licence, shows=known.shows)
    raise UnknownSample(key)
