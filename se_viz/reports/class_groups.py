"""Groups of images compared with the classes: their mean excitation, and the most similar class of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from se_viz.analysis.resemblance import group_mean
from se_viz.figures.chart import Chart
from se_viz.figures.class_profiles import mean_excitation
from se_viz.gates.capture import Capture
from se_viz.profiles.class_profiles import GateProfile
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.types import AnyFloats

COLUMNS = ("gate", "group", "images", "class", "resemblance")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of images.

    Attributes:
        images: number of images.
        means: mean s (C,) of each gate by name, over the images whose s is finite; None without such images.
    """

    images: int
    means: Mapping[str, AnyFloats | None]

    @classmethod
    def of(cls, capture: Capture, rows: Sequence[int] | None = None) -> "Group":
        """Make a group of the images of a capture, or of some of its rows."""
        listed = list(range(capture.images) if rows is None else rows)
        return cls(len(listed), {gate.gate.name: group_mean(gate.s[listed]) for gate in capture})


def group_chart(
    numbers: ClassNumbers, gate: GateProfile, groups: Mapping[str, Group], channels: Sequence[int]
) -> Chart:
    """Draw the mean excitation of the groups in one gate, with that of all classes."""
    means = {f"{name} ({group.images})": group.means[gate.name] for name, group in groups.items()}
    finite = {name: mean for name, mean in means.items() if mean is not None}
    overall = numbers.overview(gate.name).patterns.common
    return mean_excitation(gate.name, finite, overall, gate.span, channels, of="group")


def resemblances(numbers: ClassNumbers, groups: Mapping[str, Group]) -> pd.DataFrame:
    """Return a row for each gate and group: the most similar class and the resemblance, −1 to 1.

    Both are empty if no class differs from the mean over classes, or if the group does not.
    """
    profiles, rows = numbers.profiles, []
    for gate in profiles:
        overview = numbers.overview(gate.name)
        for name, group in groups.items():
            mean = group.means[gate.name]
            best = None if mean is None else overview.most_similar_class(mean)
            row = {"gate": gate.name, "group": name, "images": group.images}
            rows.append(row | ({"class": profiles.classes[best[0]], "resemblance": best[1]} if best else {}))
    return pd.DataFrame(rows, columns=list(COLUMNS))
