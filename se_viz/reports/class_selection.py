"""The default choice of classes and gates, and checks of the user's choice."""

from collections.abc import Sequence

import numpy as np

from se_viz.analysis.class_overview import MOST_ROWS, Overview
from se_viz.gates.gate import by_stage
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.wording import counted

MOST_CLASSES = 6  # number of class colours
_AT_FIRST = 4


def with_images(profiles: ClassProfiles, least: int = 1) -> list[str]:
    """Return the classes with at least this many images."""
    return [name for name, count in zip(profiles.classes, profiles.counts, strict=True) if count >= least]


def first_classes(numbers: ClassNumbers) -> list[str]:
    """Return the four classes to draw by default: the two that differ most in the last gate come first.

    Each further class is the one whose most similar class among those before it is the least similar. If the gate
    separates no classes, they are the first four with images.
    """
    profiles, last = numbers.profiles, _last_overview(numbers)
    if last.most_dissimilar is None:
        return with_images(profiles)[:_AT_FIRST]
    rows = list(last.most_dissimilar)
    while len(rows) < min(_AT_FIRST, len(last.nonempty)):
        # A class whose s equals the mean of all has no similarity; it comes last.
        closest = np.nan_to_num(last.similarity[rows], nan=np.inf).max(axis=0)
        left = [row for row in last.nonempty.tolist() if row not in rows]
        rows.append(min(left, key=lambda row: closest[row]))
    return [profiles.classes[row] for row in rows]


def stages(profiles: ClassProfiles) -> list[tuple[int, list[str]]]:
    """Return the stages in order, each with the names of its gates; the last gate is the stage's default."""
    staged = by_stage(gate.entry for gate in profiles)
    return [(stage, [entry.name for entry in entries]) for stage, entries in staged.items()]


def first_pair(numbers: ClassNumbers) -> tuple[str, str] | None:
    """Return the two classes to compare by default: those that differ most in the last gate.

    They are the first two classes if the gate separates no classes, and None unless two classes have two images.
    """
    names = with_images(numbers.profiles, 2)
    if len(names) < 2:
        return None
    rows = _last_overview(numbers).most_dissimilar
    return (numbers.profiles.classes[rows[0]], numbers.profiles.classes[rows[1]]) if rows else (names[0], names[1])


def _last_overview(numbers: ClassNumbers) -> Overview:
    return numbers.overview(numbers.profiles.header.gates[-1].name)


def rows_shown(profiles: ClassProfiles) -> str:
    """Return a sentence on how many classes a gate's tree and heatmap show; "" if they show all."""
    if len(with_images(profiles)) <= MOST_ROWS:
        return ""
    return (
        f"Of {len(profiles.classes)} classes, a gate's tree and heatmap show the {MOST_ROWS} most similar to the "
        "chosen ones."
    )


def check_classes(profiles: ClassProfiles, chosen: Sequence[str]) -> None:
    """Raise an error if these classes cannot be drawn.

    Raises:
        ValueError: there are too many classes, or a class has no image.
        KeyError: the class profiles have no such class.
    """
    if len(chosen) > MOST_CLASSES:
        raise ValueError(f"At most {MOST_CLASSES} classes can be drawn, not {len(chosen)}.")
    for name in chosen:
        if not profiles.counts[profiles.class_index(name)]:
            raise ValueError(f"There is no image of {name} in {profiles.path}: name another class.")


def check_pair(profiles: ClassProfiles, class_a: str, class_b: str) -> None:
    """Raise an error if two classes cannot be compared.

    Raises:
        ValueError: they are the same class, or one has too few images.
        KeyError: the class profiles have no such class.
    """
    for name in (class_a, class_b):
        count = int(profiles.counts[profiles.class_index(name)])
        if count < 2:
            raise ValueError(
                f"{name} has {counted(count, 'image')} in {profiles.path}. A comparison needs two "
                "images of each class: name another class."
            )
    if class_a == class_b:
        raise ValueError(f"Name two different classes to compare, not {class_a} twice.")
