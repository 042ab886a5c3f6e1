"""What of an atlas is shown before anybody chooses, and what may be chosen."""

from collections.abc import Sequence

from se_viz.analysis.class_overview import Overview
from se_viz.gates.gate import by_stage
from se_viz.profiles.class_profiles import Atlas

MOST_CLASSES = 6  # of different colours
_AT_FIRST = 4


def with_images(atlas: Atlas, least: int = 1) -> list[str]:
    """The classes of which there are so many images or more."""
    return [name for name, count in zip(atlas.classes, atlas.counts, strict=True) if count >= least]


def first_classes(atlas: Atlas) -> list[str]:
    """The classes to draw if none are named."""
    return with_images(atlas)[:_AT_FIRST]


def stages(atlas: Atlas) -> list[tuple[int, list[str]]]:
    """The stages in order, each with the names of its gates; the last of them stands for it until another is chosen."""
    found = by_stage(gate.entry for gate in atlas)
    return [(stage, [entry.name for entry in entries]) for stage, entries in found.items()]


def first_pair(atlas: Atlas, last: Overview) -> tuple[str, str] | None:
    """The two classes to hold against each other if none are named: those the last gate holds farthest apart.

    Where it holds none apart they are the first two; None where no two have two images.

    Args:
        atlas: of the classes.
        last: the overview of its last gate.
    """
    if last.farthest is not None:
        one, other = last.farthest
        return atlas.classes[one], atlas.classes[other]
    there = with_images(atlas, 2)
    return (there[0], there[1]) if len(there) > 1 else None


def check_classes(atlas: Atlas, chosen: Sequence[str]) -> None:
    """See whether classes can be drawn.

    Raises:
        ValueError: they are too many, or there is no image of one.
        KeyError: the atlas has no such class.
    """
    if len(chosen) > MOST_CLASSES:
        raise ValueError(f"Six classes are drawn at most, and {len(chosen)} are named.")
    for name in chosen:
        if not atlas.counts[atlas.class_index(name)]:
            raise ValueError(f"There is no image of {name} in {atlas.path}: name another class.")


def check_pair(atlas: Atlas, one: str, other: str) -> None:
    """See whether two classes can be held against each other.

    Raises:
        ValueError: they are one, or one has too few images.
        KeyError: the atlas has no such class.
    """
    for name in (one, other):
        count = int(atlas.counts[atlas.class_index(name)])
        if count < 2:
            raise ValueError(
                f"{name} has {count} {'image' if count == 1 else 'images'} in {atlas.path}, and it takes two of each "
                "class to say how far apart they are: name another class."
            )
    if one == other:
        raise ValueError(f"Name two different classes to compare, not {one} twice.")
