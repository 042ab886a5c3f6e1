"""Which part of a dataset is taken, where it comes in several: train, val, test, by whatever names."""

from collections import Counter
from collections.abc import Iterable, Sequence

from se_viz.data.labelled import DatasetRefused
from se_viz.data.meanings import meaning
from se_viz.data.rejected import shown

_LISTED = 5
_MOST = 20  # names in a refusal
_FIRST = ("val", "test", "train")  # what is taken where nothing is asked for


def choose(names: Iterable[str], asked: str | None, where: str) -> str:
    """Return which of several splits is meant: the one that is asked for, else validation, test or training.

    Args:
        names: of the splits, each of which has a ``meaning``.
        asked: one of them, or another word for it; None if nothing was asked for.
        where: they are, for the sentence.

    Raises:
        DatasetRefused: none of them is what was asked for.
    """
    listed = sorted(names)
    wanted = [asked] if asked is not None else _FIRST
    for want in wanted:
        for alike in (
            lambda name, want=want: name == want,
            lambda name, want=want: name.lower() == want.lower(),
            lambda name, want=want: meaning(want) != "" and meaning(name) == meaning(want),
        ):
            found = next(filter(alike, listed), None)
            if found is not None:
                return found
    some = ", ".join(listed[:_MOST]) + (", …" if len(listed) > _MOST else "")
    raise DatasetRefused(f"There is no {asked!r} in {where}; it has {some}.")


def said(names: Iterable[str], chosen: str, where: str, left: Sequence[str] = ()) -> list[str]:
    """The sentences on a choice: what there was, what was taken, how to take another."""
    listed = ", ".join(map(shown, sorted(names)))
    sentences = [
        f"{where} is split into {listed}: {shown(chosen)} was taken (--split, or split= in Python, takes another)."
    ]
    if left:
        sentences.append(f"Beside the splits, {', '.join(map(shown, left))} was left out.")
    return sentences


def of_each(
    written: Sequence[str], asked: str | None, where: str, called: str, *, loose: bool = False
) -> tuple[list[int] | None, list[str]]:
    """Find the images of one split, where each image says its own.

    Args:
        written: the split of each image as it is written; "" where there is none.
        asked: as for ``choose``.
        where, called: the place, for a refusal and for the sentences.
        loose: whether names of no split are passed over, as the folders of a tar file, and
            one split beside such names is taken only when it is asked for.

    Returns:
        The indices of the images that are taken, None for all where there are no splits; and sentences on the choice.

    Raises:
        DatasetRefused: there are splits, and none is what was asked for.
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
    """What names of the same split share."""
    return meaning(name) or name.strip().lower()
