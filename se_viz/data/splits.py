"""The choice of a dataset's split: train, val or test, by any of their names."""

from collections import Counter
from collections.abc import Iterable, Sequence

from se_viz.data.labelled import DatasetRefused
from se_viz.data.meanings import meaning
from se_viz.data.rejected import shown

_LISTED = 5
_MOST = 20  # names in a refusal
_FIRST = ("val", "test", "train")  # order of preference where the user asks for no split


def choose(names: Iterable[str], asked: str | None, where: str) -> str:
    """Return the name of the split to take: the one asked for, else validation, test or training.

    Args:
        names: names of the splits, each of which has a ``meaning``.
        asked: one of the names, or a synonym; None if the user asks for no split.
        where: the place of the splits, for the error.

    Raises:
        DatasetRefused: there is no such split.
    """
    listed = sorted(names)
    wanted = [asked] if asked is not None else _FIRST
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
    raise DatasetRefused(f"There is no {asked!r} in {where}; it has {some}.")


def said(names: Iterable[str], chosen: str, where: str, left: Sequence[str] = ()) -> list[str]:
    """Return sentences on a choice: which splits there are, which one was taken, how to take another."""
    listed = ", ".join(map(shown, sorted(names)))
    sentences = [
        f"{where} is split into {listed}: {shown(chosen)} was taken (use --split, or split= in Python, for another)."
    ]
    if left:
        verb = "was" if len(left) == 1 else "were"
        sentences.append(f"Beside the splits, {', '.join(map(shown, left))} {verb} left out.")
    return sentences


def of_each(
    written: Sequence[str], asked: str | None, where: str, called: str, *, loose: bool = False
) -> tuple[list[int] | None, list[str]]:
    """Find the images of one split, where each image has the name of its split.

    Args:
        written: the split of each image as written; "" for an image without one.
        asked: see ``choose``.
        where, called: the name of the source, for an error and for the sentences.
        loose: whether names that are not splits are ignored, such as folders in a tar file. A single split beside such
            names is then taken only when the user asks for it.

    Returns:
        The indices of the images to take, None for all where there are no splits; and sentences on the choice.

    Raises:
        DatasetRefused: there are splits, but not the one asked for.
    """
    times = Counter(name.strip() for name in written)
    named = {name for name in times if meaning(name)}
    others = times.keys() - named
    unknown = set() if loose else others - {""}
    there = asked is not None and any(_group(name) == _group(asked) for name in named | unknown)
    unclear = loose and bool(others) and len(set(map(meaning, named))) < 2
    if not there and (not named or unclear) and not (asked is not None and unknown):
        return None, [f"{called} has no splits: all of it was taken."] if asked is not None else []
    chosen = choose(named | unknown if asked is not None else named, asked, where)
    group = _group(chosen)
    left = {name: count for name, count in times.items() if name in others and _group(name) != group}
    sentences = said([f"{name} ({times[name]:,})" for name in times if name not in left], chosen, called)
    if left:
        total, kinds = sum(left.values()), sorted(name for name in left if name and not loose)
        which = f" ({', '.join(map(shown, kinds[:_LISTED]))}{', …' if len(kinds) > _LISTED else ''})" if kinds else ""
        sentences.append(
            f"{total:,} {'image that is' if total == 1 else 'images that are'} in none of these splits{which} "
            f"{'was' if total == 1 else 'were'} left out."
        )
    return [index for index, name in enumerate(written) if _group(name) == group], sentences


def _group(name: str) -> str:
    """Return a key that names of the same split share."""
    return meaning(name) or name.strip().lower()
