"""What of the class profiles is shown before anything is chosen, and what may be chosen."""

from collections.abc import Sequence

from se_viz.analysis.class_overview import MOST_ROWS, Overview
from se_viz.gates.gate import by_stage
from se_viz.profiles.class_profiles import ClassProfiles

MOST_CLASSES = 6  # of different colours
_AT_FIRST = 4


def with_images(profiles: ClassProfiles, least: int = 1) -> list[str]:
    """The classes of which there are so many images or more."""
    return [name for name, count in zip(profiles.classes, profiles.counts, strict=True) if count >= least]


def first_classes(profiles: ClassProfiles) -> list[str]:
    """The classes to draw if none are named."""
    return with_images(profiles)[:_AT_FIRST]


def stages(profiles: ClassProfiles) -> list[tuple[int, list[str]]]:
    """The stages in order, each with the names of its gates; the last of them stands for it until another is chosen."""
    found = by_stage(gate.entry for gate in profiles)
    return [(stage, [entry.name for entry in entries]) for stage, entries in found.items()]


def first_pair(profiles: ClassProfiles, last: Overview) -> tuple[str, str] | None:
    """The two classes to hold against each other if none are named: those the last gate holds farthest apart.

    Where it holds none apart they are the first two; None where no two have two images.

    Args:
        profiles: of the classes.
        last: the overview of its last gate.
    """
    if last.most_dissimilar is not None:
        one, other = last.most_dissimilar
        return profiles.classes[one], profiles.classes[other]
    there = with_images(profiles, 2)
    return (there[0], there[1]) if len(there) > 1 else None


def rows_shown(profiles: ClassProfiles) -> str:
    """Return a sentence on how many classes a gate's tree and heatmap show; "" where they show all."""
    if len(with_images(profiles)) <= MOST_ROWS:
        return ""
    return f"Of {len(profiles.classes)} classes, a gate's tree and heatmap show the {MOST_ROWS} most like those chosen."


def check_classes(profiles: ClassProfiles, chosen: Sequence[str]) -> None:
    """See whether classes can be drawn.

    Raises:
        ValueError: they are too many, or there is no image of one.
        KeyError: the class profiles have no such class.
    """
    if len(chosen) > MOST_CLASSES:
        raise ValueError(f"Six classes are drawn at most, and {len(chosen)} are named.")
    for name in chosen:
        if not profiles.counts[profiles.class_index(name)]:
            raise ValueError(f"There is no image of {name} in {profiles.path}: name another class.")


def check_pair(profiles: ClassProfiles, one: str, other: str) -> None:
    """See whether two classes can be held against each other.

    Raises:
        ValueError: they are one, or one has too few images.
        KeyError: the class profiles have no such class.
    """
    for name in (one, other):
        count = int(profiles.counts[profiles.class_index(name)])
        if count < 2:
            raise ValueError(
                f"{name} has {count} {'image' if count == 1 else 'images'} in {profiles.path}, and it takes two of "
                "each "
                "class to say how far apart they are: name another class."
            )
    if one == other:
        raise ValueError(f"Name two different classes to compare, not {one} twice.")
