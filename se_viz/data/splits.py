"""The choice of a dataset's split: train, val or test, by any of their names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from se_viz.data.rejected import DatasetRefused, shown
from se_viz.data.split_names import meaning

_LISTED = 5
_MOST = 20  # names in a refusal
HOW = "use --split, or split= in Python, for another"
_FIRST = ("val", "test", "train")  # order of preference where the user asks for no split


def choose(names: Iterable[str], split: str | None, where: str) -> str:
    """Return the name of the split to take: the one asked for, else validation, test or training.

    Args:
        names: names of the splits, each of which has a ``meaning``.
        split: one of the names, or a synonym; None if the user asks for no split.
        where: the place of the splits, for the error.

    Raises:
        DatasetRefused: there is no such split.
    """
    listed = sorted(names)
    wanted = [split] if split is not None else _FIRST
    for want in wanted:
        for alike in (
            lambda name, want=want: name == want,
            lambda name, want=want: name.lower() == want.lower(),
            lambda name, want=want: meaning(want) != "" and meaning(name) == meaning(want),
        ):
            match = next(filter(alike, listed), None)
            if match is not None:
                return match
    some = ", ".join(listed[:_MOST]) + (", …" if len(listed) > _MOST else "")
    raise DatasetRefused(f"There is no {split!r} in {where}; it has {some}.")


@dataclass(frozen=True, slots=True)
class Choice:
    """The split of a source that was taken.

    Attributes:
        called: the source.
        splits: its splits by name, with their numbers of images.
        chosen: the one that was taken; others with the same meaning were taken with it.
        left: number of images in none of the splits.
        beside: names of their splits as they are written, if these are not known as splits.
    """

    called: str
    splits: Mapping[str, int]
    chosen: str
    left: int = 0
    beside: tuple[str, ...] = ()

    def sentences(self, how: str = HOW) -> list[str]:
        """Return sentences on the choice; ``how`` says how to take another split."""
        sentences = choice_sentences(
            [f"{name} ({count:,})" for name, count in self.splits.items()], self.chosen, self.called, how=how
        )
        if self.left:
            listed = ", ".join(map(shown, self.beside[:_LISTED])) + (", …" if len(self.beside) > _LISTED else "")
            sentences.append(
                f"{self.left:,} {'image that is' if self.left == 1 else 'images that are'} in none of these splits"
                f"{f' ({listed})' if listed else ''} {'was' if self.left == 1 else 'were'} left out."
            )
        return sentences


def choice_sentences(
    names: Iterable[str], chosen: str, where: str, ignored: Sequence[str] = (), how: str = HOW
) -> list[str]:
    """Return sentences on a choice: which splits there are, which one was taken, how to take another."""
    listed = ", ".join(map(shown, sorted(names)))
    sentences = [f"{where} is split into {listed}: {shown(chosen)} was taken ({how})."]
    if ignored:
        verb = "was" if len(ignored) == 1 else "were"
        sentences.append(f"Beside the splits, {', '.join(map(shown, ignored))} {verb} left out.")
    return sentences


def indices_of_split(
    split_names: Sequence[str], split: str | None, where: str, called: str, *, loose: bool = False
) -> tuple[list[int] | None, list[str]]:
    """Find the images of one split, where each image has the name of its split; see ``pick_split``.

    Returns:
        The indices of the images to take, None for all where there are no splits; and sentences on the choice.
    """
    return as_indices(pick_split(split_names, split, where, called, loose=loose), split, called)


def as_indices(
    choice_and_indices: tuple[Choice, list[int]] | None, split: str | None, called: str
) -> tuple[list[int] | None, list[str]]:
    """Return the result of ``pick_split`` as the indices of images and sentences, see ``indices_of_split``."""
    if choice_and_indices is None:
        return None, [f"{called} has no splits: all of it was taken."] if split is not None else []
    choice, indices = choice_and_indices
    return indices, choice.sentences()


def pick_split(
    split_names: Sequence[str], split: str | None, where: str, called: str, *, loose: bool = False
) -> tuple[Choice, list[int]] | None:
    """Choose one split, where each image has the name of its split.

    Args:
        split_names: the split of each image as written; "" for an image without one.
        split: see ``choose``.
        where, called: the name of the source, for an error and for the sentences.
        loose: whether names that are not splits are ignored, such as folders in a tar file. A single split beside such
            names is then taken only when the user asks for it.

    Returns:
        The choice and the indices of the images to take; None where there are no splits.

    Raises:
        DatasetRefused: there are splits, but not the one asked for.
    """
    times = Counter(name.strip() for name in split_names)
    known = {name for name in times if meaning(name)}
    others = times.keys() - known
    unknown = set() if loose else others - {""}
    there = split is not None and any(group(name) == group(split) for name in known | unknown)
    unclear = loose and bool(others) and len(set(map(meaning, known))) < 2
    if not there and (not known or unclear) and not (split is not None and unknown):
        return None
    chosen = choose(known | unknown if split is not None else known, split, where)
    same = group(chosen)
    left = {name: count for name, count in times.items() if name in others and group(name) != same}
    choice = Choice(
        called,
        {name: count for name, count in times.items() if name not in left},
        chosen,
        sum(left.values()),
        tuple(sorted(name for name in left if name and not loose)),
    )
    return choice, [index for index, name in enumerate(split_names) if group(name) == same]


def group(name: str) -> str:
    """Return a key that names of the same split share."""
    return meaning(name) or name.strip().lower()
