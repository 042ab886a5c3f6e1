"""The effects that an ablation measures: the answers without edits, and those with each edit."""

from dataclasses import dataclass

from se_viz.demo.card import Accuracy
from se_viz.demo.paired_comparison import Change
from se_viz.interventions.planned_edits import EditInfo


@dataclass(frozen=True, slots=True)
class ClassEffect:
    """Effect of an edit on the images of one class.

    Attributes:
        correct: number of its images that are right with the edit.
        lost, gained: number of images that only the network without the edit, or only that with it, gets right.
        logit: mean change of the target's logit; None without images whose outputs are finite.
    """

    correct: int
    lost: int
    gained: int
    logit: float | None


@dataclass(frozen=True, slots=True)
class AsItIs:
    """Answers of the network without edits.

    Attributes:
        accuracy: with Wilson's interval; 1 if the labels are the network's predictions.
        logit, log_likelihood, entropy: means of the target's logit, of the natural logarithm of its probability, and
            of the entropy of the answer in nats.
        correct: number of right answers in each class.
        right: a bit for each image, see ``Ablation.right``.
    """

    accuracy: Accuracy
    logit: float
    log_likelihood: float
    entropy: float
    correct: tuple[int, ...]
    right: str


@dataclass(frozen=True, slots=True)
class AblationRow(EditInfo):
    """Effect of an edit, compared with the unedited network over the same images.

    Attributes:
        accuracy: with Wilson's interval.
        change: change of accuracy, with Newcombe's interval for pairs.
        lost, gained: number of images that were right and are wrong, and of those that were wrong and are right.
        p: McNemar's exact p of these two numbers.
        answers_changed: number of images for which the network answers another class.
        logit, log_likelihood, entropy_change: mean changes over images with normal intervals: of the target's logit, of
            the natural logarithm of its probability, and of the entropy of the answer in nats; None where fewer than
            two images have finite outputs.
        entropy: mean of the entropy with the edit, in nats; None without finite outputs.
        not_finite: number of images whose outputs are NaN or infinite with the edit; they count as wrong and are not in
            the means.
        by_class: the effect in each class.
        right: a bit for each image, see ``Ablation.right``.
    """

    accuracy: Accuracy
    change: Change
    lost: int
    gained: int
    p: float
    answers_changed: int
    logit: Change | None
    log_likelihood: Change | None
    entropy: float | None
    entropy_change: Change | None
    not_finite: int
    by_class: tuple[ClassEffect, ...]
    right: str

    @property
    def info(self) -> EditInfo:
        """The description of the edit."""
        return EditInfo(self.name, self.where, self.scope, self.value, self.gates, self.sha256)
