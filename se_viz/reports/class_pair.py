"""Two classes in one gate: the channels that separate them, and one image in such a channel."""

import pandas as pd

from se_viz.figures.chart import Chart
from se_viz.figures.class_comparison import auroc_text, effect_sizes, two_distributions
from se_viz.figures.maps import recalibrated_maps
from se_viz.figures.not_finite import number
from se_viz.gates.capture import GateCapture
from se_viz.profiles.class_profiles import GateProfile
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.wording import signed


def separation_table(numbers: ClassNumbers, gate: str, pair: tuple[str, str]) -> pd.DataFrame:
    """Return a row for each of the 12 channels in which the classes differ most, the largest |d| first.

    Columns: channel, d (Cohen's), AUROC, margin (of the AUROC; 0 if it is exact).
    """
    apart = numbers.separation(gate, pair)
    order = apart.channels
    return pd.DataFrame(
        {"channel": order, "d": apart.d[order], "AUROC": apart.auroc[order], "margin": apart.margin[order]}
    )


def channel_labels(separation: pd.DataFrame) -> dict[int, str]:
    """Return a label for each channel of a separation table, by its number, for a list of choices."""
    areas = auroc_text(separation["AUROC"].to_numpy(), separation["margin"].to_numpy())
    return {
        channel: f"channel {channel}: d = {signed(d, '+.2f')}, AUROC {area}"
        for channel, d, area in zip(separation["channel"].tolist(), separation["d"], areas, strict=True)
    }


def effect_chart(numbers: ClassNumbers, gate: str, pair: tuple[str, str]) -> Chart:
    """Draw the effect sizes of the channels that differ most."""
    apart = numbers.separation(gate, pair)
    order = apart.channels
    return effect_sizes(gate, pair, order, apart.d[order], apart.auroc[order], apart.margin[order])


def distributions_chart(gate: GateProfile, pair: tuple[str, str], channel: int) -> Chart:
    """Draw the distribution of s of one channel in each of the two classes."""
    first, second = (gate.histogram(name, channel) for name in pair)
    drawn = (first.counts, first.edges), (second.counts, second.edges)
    return two_distributions(gate.name, channel, pair, drawn, gate.span)


def on_image(
    numbers: ClassNumbers, pair: tuple[str, str], channel: int, gate_capture: GateCapture, image: str
) -> tuple[str, Chart]:
    """Return a sentence on s of one image in a channel that separates two classes, and the maps of the channel.

    Args:
        numbers: the numbers of the class profiles.
        pair: the two classes.
        channel: number of the channel.
        gate_capture: the values of a gate for the image, with maps.
        image: name of the image.
    """
    gate = numbers.profiles[gate_capture.gate.name]
    means = " and ".join(f"{signed(gate.s(name, channel).mean, '.2f')} for {name}" for name in pair)
    sentence = (
        f"In this image {gate.name} gives channel {channel} the weight **s = {number(gate_capture.s[0, channel])}**; "
        f"its mean in the class profiles is {means}."
    )
    return sentence, recalibrated_maps(gate_capture, 0, [channel], image)
