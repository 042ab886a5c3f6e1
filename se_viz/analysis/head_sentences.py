"""Sentences on the meaning of a network's outputs."""

from se_viz.weights.head import Fitted

FEW = 20  # classes, up to which a sentence says that the network knows no others


def meaning(fitted: Fitted, choice: str = "head=") -> str:
    """Return a sentence or two on the meaning of the outputs, and on how to choose another meaning.

    The result is empty if the network is known to be a classifier of many classes, which needs no explanation.

    Args:
        fitted: the head.
        choice: the argument, option or control of the page that sets the meaning.
    """
    kind, names, at = fitted.head.kind, fitted.names, f"{fitted.head.threshold:.0%}"
    if kind == "classes":
        if fitted.ready:
            return (
                f"The outputs are probabilities of {len(names)} classes already (they sum to 1 for each image) and are "
                "shown without another softmax."
            )
        if fitted.assumed:
            return (
                f"The outputs are read as softmax over {len(names)} classes (assumed), so the network always picks one "
                f"of these. If its outputs are independent labels or numbers, say so with {choice}."
            )
        return (
            f"The network was trained on {len(names)} classes and always picks one of them."
            if len(names) <= FEW
            else ""
        )
    doubt = (
        " All outputs are between 0 and 1 here. If the network ends in a sigmoid, they are probabilities already, and "
        "those shown are wrong: let the network return its logits."
        if fitted.doubtful
        else ""
    )
    if kind == "binary":
        said = f"One output: its sigmoid is the probability of {names[1]}. The network says {names[1]} at {at} or more."
        return f"{said}{doubt}"
    if kind == "labels":
        return (
            f"{len(names)} independent labels: the sigmoid of an output is the probability of its label, which holds "
            f"at {at} or more.{doubt}"
        )
    if fitted.assumed:
        return (
            "This network has one output. One output is not a distribution over classes, so it is shown as a number. "
            f"If it is the logit of yes, choose binary with {choice}."
        )
    return "The output is shown as a number." if len(names) == 1 else f"The {len(names)} outputs are shown as numbers."
