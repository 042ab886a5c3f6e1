"""The grammar of the options that take values of s: `--set` of intervene, ablate and freeze, `--baseline` of attribute.

    edit    = value | place "=" value
    place   = gate | gate "[" channel {"," channel} "]"        gate: SE_5_2, stage 4, all
    value   = number | "mean" | "mean of " class | "shuffled" [seed] | number "s" | "other"

"mean:CLASS" is read as "mean of CLASS". Each option takes a part of this grammar, and says why not the rest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from se_viz.interventions.edits import Edit, Whole

Form: TypeAlias = Literal["number", "mean", "mean of CLASS", "shuffled", "scale", "other"]

OTHER = "other"  # stands for s of the other image, which the command knows

_LISTED: Mapping[Form, str] = {
    "number": "a number",
    "mean": "mean",
    "mean of CLASS": "'mean of CLASS'",
    "shuffled": "shuffled, 'shuffled 3' (with a seed)",
    "scale": "'0.5 s'",
    "other": "other",
}
_MEANING: Mapping[Form, str] = {
    "number": "a number",
    "mean": "mean (of the class profiles)",
    "mean of CLASS": "'mean of CLASS' (over the images of a class)",
    "shuffled": "shuffled (s of another image, by a random order; 'shuffled 3' gives its seed)",
    "scale": "'0.5 s' (s times this number)",
    "other": "other (s of the image of --other)",
}
_CLASS = ("mean of ", "mean:")
_PLACE = re.compile(r"([^\[\]]*)(?:\[([^\[\]]*)\])?", re.DOTALL)
_SHOWN = 100  # characters of a wrong value that are repeated


@dataclass(frozen=True, slots=True)
class EditOption:
    """An option that takes values of s.

    Attributes:
        forms: the values that it takes.
        refused: a sentence on what of the grammar it does not take, and why; empty if it takes all.
        places: "none" if the option takes a value alone, "gates" if each value stands after GATE=, "any" if it stands
            alone or after GATE= or GATE[CHANNEL,CHANNEL]=.
        name: of the option.
    """

    forms: tuple[Form, ...]
    refused: str = ""
    places: Literal["none", "gates", "any"] = "any"
    name: str = "--set"

    @property
    def taken(self) -> str:
        """The values that the option takes, in words."""
        listed = self._listed(_LISTED)
        if self.places == "gates":
            return f"GATE=VALUE, as in SE_5_2=mean; VALUE is {listed}"
        if self.places == "any":
            return f"{listed}; the value stands alone, or after GATE= or 'GATE[CHANNEL,CHANNEL]='"
        return listed

    @property
    def help(self) -> str:
        """Sentences on what the option takes and does not take, for the help of a command."""
        place = {
            "none": "",
            "gates": "It takes GATE=VALUE; GATE may be 'stage 4' or all. ",
            "any": "GATE= or 'GATE[CHANNEL,CHANNEL]=' may stand before the value; GATE may be 'stage 4' or all. ",
        }[self.places]
        return f"{place}Values: {self._listed(_MEANING)}. {self.refused}".strip()

    def _listed(self, words: Mapping[Form, str]) -> str:
        *first, last = (words[form] for form in self.forms)
        return f"{', '.join(first)} or {last}" if first else last

    def wrong(self, text: str) -> ValueError:
        """Return the error for a text that the option does not take."""
        return ValueError(
            f"{text[:_SHOWN]!r} is not a value of {self.name}, which takes {self.taken}. {self.refused}".strip()
        )


@dataclass(frozen=True, slots=True)
class PlacedValue:
    """A value of s with its place.

    Attributes:
        gate: "SE_5_2", "stage 4", "all"; empty if the value stands alone.
        channels: of the gate, distinct; empty for all of them.
        value: as ``capture`` takes it, or ``OTHER``.
    """

    gate: str
    channels: tuple[int, ...]
    value: "Whole"

    @property
    def edit(self) -> "Edit":
        """The edit of the gate, as ``capture`` takes it."""
        return dict.fromkeys(self.channels, self.value) if self.channels else self.value


def parse_edit(text: str, option: EditOption) -> PlacedValue:
    """Return the place and the value of a text.

    Raises:
        ValueError: the option does not take it; the sentence says what it takes.
    """
    said = text.strip()
    gate, equals, value = said.partition("=")
    if not equals or said.startswith(_CLASS):  # a class may have "=" in its name
        if option.places == "gates":
            raise option.wrong(text)
        return PlacedValue("", (), parse_value(text, option))
    found = _PLACE.fullmatch(gate.strip())
    if option.places == "none" or found is None or not found[1].strip():
        raise option.wrong(text)
    channels = _channels(found[2]) if found[2] is not None else ()
    if channels is None or (channels and option.places == "gates"):
        raise option.wrong(text)
    try:
        return PlacedValue(" ".join(found[1].split()), channels, parse_value(value, option))
    except ValueError:
        raise option.wrong(text) from None


def parse_value(text: str, option: EditOption) -> "Whole":
    """Return a value as ``capture`` takes it, or ``OTHER``.

    Raises:
        ValueError: the option does not take it; the sentence says what it takes.
    """
    said = text.strip()
    form, value = _read(said)
    if form is None or form not in option.forms:
        raise option.wrong(text)
    return value


def _read(said: str) -> "tuple[Form | None, Whole]":
    from se_viz.interventions.edits import MeanOf, Scale, Shuffle

    if said == "mean":
        return "mean", said
    if said == OTHER:
        return "other", said
    for start in _CLASS:
        if said.startswith(start):
            name = said.removeprefix(start).strip()
            return ("mean of CLASS", MeanOf(name)) if name else (None, "")
    if found := re.fullmatch(r"shuffled(?:\s+(\d{1,18}))?", said, re.ASCII):
        return "shuffled", Shuffle(int(found[1] or 0))
    if said.endswith("s") and (factor := _number(said[:-1])) is not None:
        return "scale", Scale(factor)
    number = _number(said)
    return (None, "") if number is None else ("number", number)


def _number(text: str) -> float | None:
    if not text.isascii() or "_" in text:  # which Python takes
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _channels(text: str) -> tuple[int, ...] | None:
    """Return the numbers in brackets, each once; None if they are no channels."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,9}", part, re.ASCII) for part in parts):
        return None
    return tuple(dict.fromkeys(map(int, parts)))


def parse_edits(texts: Sequence[str], option: EditOption, gates: Sequence[str]) -> list[PlacedValue]:
    """Return the place and the value of each text of one command; a value that stands alone has no place.

    Args:
        texts: given to the option, which may be repeated.
        option: the option.
        gates: given to --gate.

    Raises:
        ValueError: the option does not take one of them, or --gate and a text both name a gate.
    """
    parsed = [parse_edit(text, option) for text in texts]
    placed = next((text for text, one in zip(texts, parsed, strict=True) if one.gate), None)
    if placed is not None and gates:
        raise ValueError(
            f"--gate and {option.name} {placed!r} both name a gate: leave --gate out, and give {option.name} "
            "GATE=VALUE for each."
        )
    if placed is not None and not all(one.gate for one in parsed):
        raise ValueError(f"{option.name} names a gate in some values only: write each as GATE=VALUE, or none of them.")
    return parsed


def joined(parsed: Sequence[PlacedValue], option: EditOption) -> "dict[str, Edit]":
    """Return edits that are made together, by gate.

    Raises:
        ValueError: two of them are of the same gate or channel.
    """
    edits: dict[str, Edit] = {}
    for one in parsed:
        there, edit = edits.get(one.gate), one.edit
        if isinstance(there, Mapping) and isinstance(edit, Mapping) and not there.keys() & edit.keys():
            edits[one.gate] = {**there, **edit}
        elif there is None:
            edits[one.gate] = edit
        else:
            channels = [str(channel) for channel in one.channels if isinstance(there, Mapping) and channel in there]
            place = f"channel {channels[0]} of {one.gate}" if channels else one.gate
            raise ValueError(f"{option.name} names {place} twice.")
    return edits
