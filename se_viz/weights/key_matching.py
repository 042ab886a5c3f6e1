"""Matching the tensors of a file to those of a network, in spite of prefixes, wrappers and suffixes in their names."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from se_viz.weights.extra_entries import BESIDE, OPTIMISER
from se_viz.weights.key_wrappers import WRAPPERS, bare, endings
from se_viz.weights.matching import computed, some

# A prefix with this share of the names of the best one stands before another set of weights.
_NEARLY = 0.9
_HALF = 0.5

# Maximum number of other sets of weights in a file. No checkpoint has more, and comparing each name takes long.
_MOST_COPIES = 20

# Words in the prefix of weights that are a moving average of others.
_AVERAGED = re.compile(
    r"(?<![a-z])(ema|swa|polyak|shadow|averag(e|ed|ing)|callbacks|teacher|momentum|target|encoder_k|key_encoder)(?![a-z])"
    r"|emamodel|emacallback",
    re.I,
)
# Parts of the prefixes that trainers use for the weights, for those of the last or an earlier step, and the first.
_USUAL = re.compile(
    r"(model|network|net|state_dict|model_state(_dict)?|model_state_dict|weights|params|student|encoder_q|query_encoder"
    r"|online(_\w+)?|(\w+_)?best(_\w+)?)",
    re.I,
)
_LAST = re.compile(r"(?<![a-z])(last|latest|final|previous|prev|old)(?![a-z])", re.I)
_NUMBERED = re.compile(r"(?<![a-z])(?:epoch|step|iter|iteration|ckpt|checkpoint)[_-]?(\d{1,9})(?!\d)", re.I)
_FIRST = re.compile(r"(?<![a-z])(init|initial|start)(?![a-z])", re.I)


@dataclass(frozen=True, slots=True)
class Matched:
    """The tensors of a file under the names of a network.

    Attributes:
        weights: tensors by the names of the network.
        strange: tensors in the network's part of the file that the network does not have, by bare names.
        outside: tensors elsewhere in the file, by their names in it.
        notes: sentences on which of several sets of weights was used.
    """

    weights: dict[str, Tensor]
    strange: dict[str, Tensor] = field(default_factory=dict)
    outside: dict[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def match(state: Mapping[str, Tensor], network: Iterable[str]) -> Matched:
    """Return the tensors of a file under the names of a network's state dict.

    Trainers, wrappers and compilers add prefixes to the names (``state_dict.``, ``model.``) and parts within them
    (``layer1._orig_mod.0``). The prefix of most of them is removed. The tensors of an optimiser are not a set of
    weights. If a file contains the weights more than once, the order of preference is: a usual name, another name, the
    last step, a moving average or a module beside the network, the first step; in the same group, that with the highest
    number of an epoch or a step, and then the first.
    """
    wanted = {bare(name): name for name in network}
    state = _without_suffix(state, wanted)
    hits = _hits(state, wanted)
    if not hits:
        return Matched({}, {bare(name): tensor for name, tensor in state.items()})
    # Counters of batches may be in one set of weights and missing in another.
    sizes = {prefix: sum(not computed(name) for name in names) for prefix, names in hits.items()}
    most = max(sizes.values())
    sets = [prefix for prefix, size in sizes.items() if size >= _NEARLY * most]
    chosen = _longest(min(sets, key=lambda prefix: _rank(prefix, state)), sets)
    copies = _copies(chosen, [prefix for prefix, size in sizes.items() if size >= _HALF * most])
    taken, strange, outside, twice = _sorted_out(state, wanted, chosen, copies)
    notes = []
    if copies or twice:
        where = some([f"{prefix}*" for prefix in copies] or [twice])
        which = f"those under {some([f'{chosen}*'])} were taken" if chosen else "those at its top were taken"
        notes.append(f"The file contains the weights more than once: {which}, {where} left out")
    elif _is_average(chosen, state):
        notes.append(f"The weights taken are a moving average ({some([f'{chosen}*'])})")
    return Matched(taken, strange, outside, tuple(notes))


def _hits(state: Iterable[str], wanted: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the names of the network that a file has, by their prefix in it."""
    lasts = {name.rpartition(".")[2] for name in wanted}
    found: dict[str, set[str]] = {}
    for name in state:
        if name.rpartition(".")[2] in lasts:
            for prefix, rest in endings(name):
                if rest in wanted and not OPTIMISER.search(prefix):
                    found.setdefault(prefix, set()).add(rest)
    return found


def _longest(prefix: str, sets: Iterable[str]) -> str:
    """Return the longest of the prefixes that differ from this one only by wrappers at its end."""
    same = [other for other in sets if other.startswith(prefix) and bare(other) == bare(prefix)]
    return max(same, key=len)


def _copies(chosen: str, prefixes: Iterable[str]) -> list[str]:
    """Return the prefixes of other sets of weights, each once: of "ema." and "ema.module." the longer one."""
    longest: dict[str, str] = {}
    for prefix in prefixes:
        if bare(prefix) != bare(chosen):
            longest[bare(prefix)] = max(prefix, longest.get(bare(prefix), ""), key=len)
    return list(longest.values())[:_MOST_COPIES]


def _sorted_out(
    state: Mapping[str, Tensor], wanted: Mapping[str, str], chosen: str, copies: Iterable[str]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor], str]:
    """Return weights, strange and outside as in ``Matched``, and the name of a tensor that occurs twice, or ""."""
    taken: dict[str, tuple[int, Tensor]] = {}
    strange: dict[str, Tensor] = {}
    outside: dict[str, Tensor] = {}
    twice = ""
    for name, tensor in state.items():
        rest = bare(name[len(chosen) :])
        if name.startswith(chosen) and rest in wanted:
            # If a wrapped copy is beside the network, the network is the one with fewer wrappers.
            before = taken.get(wanted[rest])
            if before is None or len(name) < before[0]:
                taken[wanted[rest]] = len(name), tensor
            twice = twice or (name if before is not None else "")
        elif any(name.startswith(prefix) for prefix in copies if prefix):
            continue
        elif name.startswith(chosen):
            strange[rest] = tensor
        else:
            outside[name] = tensor
    return {name: tensor for name, (_, tensor) in taken.items()}, strange, outside, twice


def _rank(prefix: str, state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return a sort key that is smallest for the preferred set of weights, see ``match``."""
    parts = [part for part in bare(prefix).split(".") if part]
    if _FIRST.search(prefix):
        kind = 3
    elif _is_average(prefix, state) or BESIDE.search(prefix):
        kind = 2
    else:
        kind = int(_LAST.search(prefix) is not None)
    number = _NUMBERED.search(prefix)
    return kind, *(0 if _USUAL.fullmatch(part) else 1 for part in parts), -int(number[1]) if number else 0


def _is_average(prefix: str, state: Mapping[str, Tensor]) -> bool:
    """Return whether a set of weights is a moving average, by its name or by AveragedModel's counter."""
    if _AVERAGED.search(prefix):
        return True
    stem = prefix.rstrip(".")
    while stem.rpartition(".")[2] in WRAPPERS:
        stem = stem.rpartition(".")[0]
    return (f"{stem}.n_averaged" if stem else "n_averaged") in state


def _without_suffix(state: Mapping[str, Tensor], wanted: Mapping[str, str]) -> Mapping[str, Tensor]:
    """Return a file's tensors without the suffix of most of their names, as in "fc.weight_ema", "fc.weight.data"."""
    if any(rest in wanted for name in state for _, rest in endings(name)):
        return state
    lasts = {name.rpartition(".")[2] for name in wanted}
    tails: Counter[str] = Counter()
    for name in state:
        ends = (name[cut:] for cut in _cuts(name) if name[:cut].rpartition(".")[2] in lasts)
        tails.update(end for end in ends if not OPTIMISER.search(end[1:]))
    if not tails or tails.most_common(1)[0][1] < _HALF * len(state):
        return state
    tail = tails.most_common(1)[0][0]
    return {name.removesuffix(tail): tensor for name, tensor in state.items()}


def _cuts(name: str) -> list[int]:
    """Return the positions where a suffix of a name may begin: its last dots, colons and underscores."""
    return [found.start() for found in re.finditer(r"[.:_]", name)][-3:]
