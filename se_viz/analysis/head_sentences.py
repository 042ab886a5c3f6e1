"""What the outputs of a network are taken to mean, in words."""

from se_viz.weights.head import Fitted

FEW = 20  # classes that a sentence on them is worth


def meaning(fitted: Fitted, choice: str = "head=") -> str:
    """Return a sentence or two on what the outputs are taken to mean, and how to say that they mean something else.

    It is empty where the network is known to be a classifier of many classes, as there is nothing to be explained.

    Args:
        fitted: the head.
        choice: by what a reader says what they mean: an argument, an option, a control of the page.
    """
    kind, names, at = fitted.head.kind, fitted.names, f"{fitted.head.threshold:.0%}"
    if kind == "classes":
        knows = f"This network knows {len(names)} classes and names one of them, whatever it is shown"
        if fitted.assumed:
            return (
                f"{knows}: softmax over {len(names)} classes (assumed). If its outputs are independent labels or "
                f"numbers, say so by {choice}."
            )
        return f"{knows}." if len(names) <= FEW else ""
    if kind == "binary":
        return f"One output: σ of it is the probability of {names[1]}, and the network says {names[1]} from {at} on."
    if kind == "labels":
        return (
            f"{len(names)} labels that hold or not, each by itself: σ of its output is its probability, from {at} on."
        )
    if fitted.assumed:
        return (
            "This network has one output. That is no distribution over classes, so it is shown as the number it is. If "
            f"it is the logit of a yes, say binary by {choice}."
        )
    return "The output is a number, shown as it is." if len(names) == 1 else f"{len(names)} numbers, shown as they are."
