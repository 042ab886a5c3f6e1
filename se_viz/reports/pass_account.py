"""The account of a pass: the images of each class, and the images left out with the reason."""

from collections.abc import Mapping, Sequence

from se_viz.data.rejected import shown
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.wording import counted

_MOST_CLASSES = 20
_MOST_REASONS = 5
_SAID = " was left out: "  # between an image's name and the reason, see data.rejected


def account(profiles: ClassProfiles, notes: Sequence[str] = ()) -> list[str]:
    """Return the sentences on a pass.

    Args:
        profiles: the class profiles of the pass.
        notes: notes of the dataset, added at the end.
    """
    counts = dict(zip(profiles.classes, profiles.counts.tolist(), strict=True))
    nonempty = {name: count for name, count in counts.items() if count}
    images, kinds = counted(sum(nonempty.values()), "image"), counted(len(nonempty), "class", "classes")
    lines = [f"{images} of {kinds}: {_by_class(nonempty)}."]
    empty = [shown(name) for name in counts if name not in nonempty]
    if empty:
        more = f" and {len(empty) - _MOST_CLASSES:,} more" if len(empty) > _MOST_CLASSES else ""
        lines.append(f"No image of {', '.join(empty[:_MOST_CLASSES])}{more}.")
    return [*lines, *_refused(profiles.header.refused), *notes]


def _by_class(counts: dict[str, int]) -> str:
    if len(counts) <= _MOST_CLASSES:
        return ", ".join(f"{shown(name)} {count:,}" for name, count in counts.items())
    fewest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return f"from {counts[fewest]:,} ({shown(fewest)}) to {counts[most]:,} ({shown(most)}); report.json lists them"


def _refused(refused: Mapping[str, str]) -> list[str]:
    """Return a sentence for each reason, the most frequent first, with the number of images and the first name."""
    by_reason: dict[str, list[str]] = {}
    for name, sentence in refused.items():
        by_reason.setdefault(sentence.partition(_SAID)[2] or sentence, []).append(name)
    ordered = sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
    lines = []
    for reason, names in ordered[:_MOST_REASONS]:
        first = "/".join(shown(part) for part in names[0].split("/")[-2:])
        listed = first if len(names) == 1 else f"{len(names):,} images, the first of them {first},"
        lines.append(f"{listed} {'was' if len(names) == 1 else 'were'} left out: {reason}")
    further = sum(len(names) for _, names in ordered[_MOST_REASONS:])
    return [*lines, f"{further:,} more were left out; report.json says why."] if further else lines
