"""Many sentences on files that were left out → one sentence with each reason and its number of files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

LEFT_OUT = " was left out: "
"""The text between a file's name and the reason, see ``rejected.Refused``."""

FEW = 3
"""Maximum number of sentences that are shown one by one."""

_REASONS = 4  # reasons that the sentence lists
_ENDINGS = 3
# Reasons that differ from file to file, and the common reason for all of them.
_ALIKE = (
    (re.compile(r"^it is the same file as .*"), "it is the same file as another"),
    (re.compile(r"^it is \d+ × \d+ pixels$"), "it is too small"),
)
_LONGEST_ENDING = 6
_NOUN = re.compile(r"^it is (not an? |an? |no )((?:(?! or )[^,;])*?)(?=$|,|;| of | written )")


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for leaving files out, without the advice, and the names of the files."""

    why: str
    names: tuple[str, ...]


def reasons(sentences: Sequence[str]) -> list[Reason]:
    """Return the reasons in sentences on files that were left out, the most frequent first.

    A sentence that is not about a single file is ignored.
    """
    by_reason: dict[str, list[str]] = {}
    for sentence in sentences:
        name, said, reason = sentence.partition(LEFT_OUT)
        if said:
            why = reason.partition(";")[0].rstrip(".")
            for one, all_ in _ALIKE:
                why = one.sub(all_, why)
            by_reason.setdefault(why, []).append(name)
    return [Reason(why, tuple(names)) for why, names in sorted(by_reason.items(), key=lambda pair: -len(pair[1]))]


def summing_up(sentences: Sequence[str]) -> str:
    """Return one or two sentences that summarise many.

    For instance "902 files were left out: 900 are not images (XML); 2 are empty (JPG)." or, with one reason only, "900
    files were left out: they are not images (XML)." Sentences that are not about a single file follow; if there are
    more than three, only the first and their number.
    """
    ranked = reasons(sentences)
    count = sum(len(reason.names) for reason in ranked)
    listed = "; ".join(map(_counted, ranked[:_REASONS]))
    further = sum(len(reason.names) for reason in ranked[_REASONS:])
    more = f"; {further:,} for other reasons" if further else ""
    listed = _of_all(ranked[0]) if len(ranked) == 1 else listed
    said = [f"{count:,} {'file was' if count == 1 else 'files were'} left out: {listed}{more}."] if count else []
    others = [sentence for sentence in sentences if LEFT_OUT not in sentence]
    said += others[: 1 if len(others) > FEW else FEW]
    if len(others) > FEW:
        said.append(f"There are {len(others) - 1:,} more notes like this one.")
    return " ".join(said)


def _of_all(reason: Reason) -> str:
    """Return the only reason as it is said of all its files."""
    why = reason.why if len(reason.names) == 1 else _of_several(reason.why)
    return f"{why if why == reason.why else f'they {why}'} ({_endings(reason)})"


def _endings(reason: Reason) -> str:
    endings = list(dict.fromkeys(map(_ending, reason.names)))
    return ", ".join(endings[:_ENDINGS]) + (", …" if len(endings) > _ENDINGS else "")


def _counted(reason: Reason) -> str:
    shown, count = _endings(reason), len(reason.names)
    why = reason.why.replace("it is ", "is ", 1) if count == 1 else _of_several(reason.why)
    return f"{count:,} {why} ({shown})" if why != reason.why else f"{count:,} ({shown}): {why}"


def _ending(name: str) -> str:
    ending = PurePosixPath(name).suffix.lstrip(".").upper()
    return ending if 0 < len(ending) <= _LONGEST_ENDING else "no ending"


def _of_several(why: str) -> str:
    """Return a reason in the plural; unchanged where the rules below do not apply."""
    if not why.startswith(("it is ", "it has ", "it holds ")):
        return why
    plural = _NOUN.sub(lambda match: f"are {'not ' if match[1].startswith('no') else ''}{match[2]}s", why)
    plural = plural.replace("it is a", "are each a", 1)
    for one, several in (("it is ", "are "), ("it has ", "have "), ("it holds ", "hold "), (" its ", " their ")):
        plural = plural.replace(one, several, 1)
    return plural.replace(" bytes is ", " bytes are ")
