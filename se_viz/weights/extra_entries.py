"""Entries of checkpoints that are not weights, by name: counters, losses, metrics, tables that a network computes."""

import re
from collections.abc import Iterable, Mapping

from se_viz.weights.matching import COUNTERS, TABLES, some

_PHASE = r"((train|val|valid|validation|test|best)_?)?"
_METRIC = r"(metrics?|acc(uracy)?\d?|top\d|f1(_?score)?|auroc|auc|precision|recall|confmat|confusion_matrix|meters?)"
_BESIDE = (
    r"(projector|projection(_head)?|proj_head|predictor|decoder|decode_head|aux(iliary)?_?(layer|head|classifier)?\w*"
    r"|discriminator|teacher|momentum_encoder|ema_?\w*|swa_?\w*)"
)
_OPTIMISER = (
    r"(optimizers?|optimi[sz]er_states?|optim|lr_schedulers?|scheduler|scaler|(max_)?exp_(avg|inf)\w*"
    r"|momentum_buffers?|(square|grad)_avg|grads?|gradients?)"
)
# An optimiser's tensors, and modules beside the network, as a part of a name.
OPTIMISER = re.compile(rf"(^|\.){_OPTIMISER}(\.|$)", re.IGNORECASE)
BESIDE = re.compile(rf"(^|\.){_BESIDE}(\.|$)", re.IGNORECASE)
_PATTERNS = {
    "counters of a profiler": r"(^|\.)(total_(ops|params)|_{0,2}(flops|params|macs)_{1,2}(count(er)?_{0,2})?)$",
    "states of quantisation": (
        r"(^|\.)(activation_post_process|weight_fake_quant|fake_quant_enabled|observer_enabled)(\.|$)"
    ),
    "a module's extra state": r"(^|\.)_extra_state$",
    "a loss's tensors": r"(^|\.)(criterion\w*|\w*_criterion|(\w*_)?loss(es|_\w+)?|class_weights?|pos_weight)(\.|$)",
    "states of metrics": rf"(^|\.){_PHASE}{_METRIC}(_(metrics?|top\d|epoch|step|train|val|test))?(\.|$)",
    "the mean and standard deviation of its images, which the options mean and std take": (
        r"^((\w*normali[sz]er?|preprocess\w*|pixel|image|data_preprocessor)[._])?(mean|std)$"
    ),
    "a queue or prototypes of its training": r"^(queue\w*|prototypes|centers?|memory_bank)(\.|$)",
    "an optimiser's tensors": rf"(^|\.){_OPTIMISER}(\.|$)",
    "parts beside the network": rf"^{_BESIDE}\.",
}

# Description → pattern of a bare name. The first match is used.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("counters of batches", COUNTERS),
    ("tables that the network computes itself", TABLES),
    *((what, re.compile(pattern, re.IGNORECASE)) for what, pattern in _PATTERNS.items()),
)


def split(names: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names that may be of weights, and the others by their description."""
    rest: list[str] = []
    known: dict[str, list[str]] = {}
    for name in names:
        what = next((what for what, pattern in _KINDS if pattern.search(name)), "")
        (known.setdefault(what, []) if what else rest).append(name)
    return rest, known


def left_out(known: Mapping[str, list[str]], outside: Iterable[str]) -> list[str]:
    """Return one sentence on the tensors of a file that were not used, or an empty list.

    Args:
        known: names by their description, see ``split``.
        outside: names of tensors outside the network's part of the file.
    """
    rest, also = split(outside)
    kinds = {what: [*known.get(what, []), *also.get(what, [])] for what in {**known, **also}}
    parts = [f"{what} ({some(names, 2)})" for what, names in kinds.items()]
    parts += [f"other tensors ({some(rest, 2)})"] if rest else []
    return [f"Left out: {'; '.join(parts)}"] if parts else []
