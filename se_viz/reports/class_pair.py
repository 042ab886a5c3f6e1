"""Two classes in one gate: which channels tell them apart, and what an image has there."""

import pandas as pd

from se_viz.figures.chart import Chart
from se_viz.figures.class_comparison import auroc_text, effect_sizes, two_distributions
from se_viz.figures.finite import number
from se_viz.figures.maps import recalibrated_maps
from se_viz.gates.capture import Reading
from se_viz.profiles.class_profiles import GateProfile
from se_viz.reports.class_numbers import ClassNumbers


def separation_table(numbers: ClassNumbers, gate: str, pair: tuple[str, str]) -> pd.DataFrame:
    """A row for each of the dozen channels in which the classes differ most, the largest |d| first.

    Columns: channel, d (Cohen's), AUROC, margin (of the AUROC, 0 where it is exact).
    """
    apart = numbers.separation(gate, pair)
    order = apart.channels
    return pd.DataFrame(
        {"channel": order, "d": apart.d[order], "AUROC": apart.auroc[order], "margin": apart.margin[order]}
    )


def channel_labels(separation: pd.DataFrame) -> dict[int, str]:
    """What is said of each channel of a separation table, by its number, to choose from."""
    areas = auroc_text(separation["AUROC"].to_numpy(), separation["margin"].to_numpy())
    return {
        channel: f"channel {channel}: d = {d:+.2f}, AUROC {area}"
        for channel, d, area in zip(separation["channel"].tolist(), separation["d"], areas, strict=True)
    }


def effect_chart(numbers: ClassNumbers, gate: str, pair: tuple[str, str]) -> Chart:
    """The channels that differ most."""
    apart = numbers.separation(gate, pair)
    order = apart.channels
    return effect_sizes(gate, pair, order, apart.d[order], apart.auroc[order], apart.margin[order])


def distributions_chart(gate: GateProfile, pair: tuple[str, str], channel: int) -> Chart:
    """How s of one channel is distributed in each of the two classes."""
    one, other = (gate.histogram(name, channel) for name in pair)
    drawn = (one.counts, one.edges), (other.counts, other.edges)
    return two_distributions(gate.name, channel, pair, drawn, gate.span)


def on_image(
    numbers: ClassNumbers, pair: tuple[str, str], channel: int, reading: Reading, image: str
) -> tuple[str, Chart]:
    """What one image has in a channel that tells two classes apart: a sentence, and the maps of the channel.

    Args:
        numbers: of the class profiles.
        pair: the classes.
        channel: its number.
        reading: a gate of the image, with maps.
        image: its name.
    """
    gate = numbers.profiles[reading.gate.name]
    means = " and ".join(f"{gate.s(name, channel).mean:.2f} for {name}" for name in pair)
    sentence = (
        f"Here {gate.name} gives channel {channel} the weight **s = {number(reading.s[0, channel])}**; "
        f"in the class profiles it is {means} on average."
    )
    return sentence, recalibrated_maps(reading, 0, [channel], image)
