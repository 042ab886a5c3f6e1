"""Edits of s in words, as sentences, tables and files name them."""

from collections.abc import Iterable, Sequence

from se_viz.interventions.edits import Shuffle, word
from se_viz.wording import signed

OTHER_IMAGE = "other image"  # as a value: s of the other image

_LISTED = 20  # maximum number of channels that are listed


def edits_in_words(edits: Iterable[tuple[str, Sequence[int], object]], other_name: str = "") -> str:
    """Return edits in words, "s := 0 in channels 450, 12 of SE_5_2"; gates with the same edit are named together.

    Args:
        edits: of each the gate ("SE_5_2", "stage 4", "all"), its channels (empty for all), and the value of s as
            ``capture`` takes it, or ``OTHER_IMAGE``.
        other_name: name of the other image.
    """
    gates: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for gate, channels, value in edits:
        gates.setdefault((_value(value, other_name), tuple(channels)), []).append(gate)
    return "; ".join(f"s := {value} in {_where(named, channels)}" for (value, channels), named in gates.items())


def _value(value: object, other_name: str) -> str:
    if isinstance(value, float | int):
        return signed(value, "g")
    if isinstance(value, str) and value == OTHER_IMAGE:
        return f"that of {other_name or 'another image'}"
    return f"that of another image (shuffled, seed {value.seed})" if isinstance(value, Shuffle) else word(value)


def _where(gates: Sequence[str], channels: Sequence[int]) -> str:
    named = " and ".join("all gates" if gate == "all" else gate for gate in gates)
    if not channels:
        return f"all channels of {named}"
    more = f" and {len(channels) - _LISTED} more" if len(channels) > _LISTED else ""
    listed = ", ".join(map(str, channels[:_LISTED])) + more
    return f"{'channel' if len(channels) == 1 else 'channels'} {listed} of {named}"
