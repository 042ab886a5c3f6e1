"""What a pass counted: images by class, and what was left out and why, for a person to check."""

from collections.abc import Mapping, Sequence

from se_viz.data.rejected import shown
from se_viz.profiles.class_profiles import ClassProfiles

_MOST_CLASSES = 20
_MOST_REASONS = 5
_SAID = " was left out: "  # between an image's name and the reason, see data.refusals


def account(profiles: ClassProfiles, notes: Sequence[str] = ()) -> list[str]:
    """Return the sentences, one a line.

    Args:
        profiles: the class profiles of the pass.
        notes: of the dataset.
    """
    counts = dict(zip(profiles.classes, profiles.counts.tolist(), strict=True))
    there = {name: count for name, count in counts.items() if count}
    total, kinds = sum(there.values()), f"{len(there):,} {'class' if len(there) == 1 else 'classes'}"
    images = "1 image" if total == 1 else f"{total:,} images"
    lines = [f"{images} of {kinds}: {_by_class(there)}."]
    empty = [shown(name) for name in counts if name not in there]
    if empty:
        more = f" and {len(empty) - _MOST_CLASSES:,} more" if len(empty) > _MOST_CLASSES else ""
        lines.append(f"No image of {', '.join(empty[:_MOST_CLASSES])}{more}.")
    return [*lines, *_refused(profiles.header.refused), *notes]


def _by_class(there: dict[str, int]) -> str:
    if len(there) <= _MOST_CLASSES:
        return ", ".join(f"{shown(name)} {count:,}" for name, count in there.items())
    fewest, most = min(there, key=there.__getitem__), max(there, key=there.__getitem__)
    return f"from {there[fewest]:,} ({shown(fewest)}) to {there[most]:,} ({shown(most)}); report.json lists them"


def _refused(refused: Mapping[str, str]) -> list[str]:
    """How many images were left out for each reason, most first, with the name of the first of them."""
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
