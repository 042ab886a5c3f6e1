"""The state of the Intervene page, which its tabs share: the input of the page, and the output that is asked about."""

from dataclasses import dataclass

from se_viz.data.images import InputImage
from se_viz.gates.capture import Capture
from se_viz.interventions.gate_effects import GateEffects, why_no_mean
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.intervention import Channels, Edited, intervention_report
from se_viz.reports.report import Report
from se_viz.reports.target_output import Outcome
from se_viz.reports.uniform_weights import uniform_weights
from se_viz.reports.unknown_mean import unknown_mean
from se_viz.types import Floats
from se_viz.ui.state import interventions
from se_viz.ui.widgets.image_picker import Chosen

_ALONE = "Add a second image to replace s of this image by s of another one."


@dataclass(frozen=True)
class InterveneState:
    """The state of the page: model, images, what is asked about, effects of the gates, and the chosen gate."""

    model: Model
    chosen: Chosen
    capture: Capture
    focus: int
    other: int | None
    profiles: ClassProfiles | None
    outcome: Outcome
    effects: GateEffects
    gate: str

    @property
    def image(self) -> InputImage:
        """The image in focus."""
        return self.chosen.images[self.focus]

    @property
    def swapped(self) -> InputImage | None:
        """The image whose s is used, if there is one."""
        return None if self.other is None else self.chosen.images[self.other]

    @property
    def mean(self) -> Floats | None:
        """The mean of s of the chosen gate (C,), if it is known."""
        return (interventions.means(self.model, self.profiles) or {}).get(self.gate)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on weights that do not differ between channels, and on the edits that are missing."""
        unknown = why_no_mean(self.model, self.profiles) if "mean" not in self.effects.edits else None
        mean = () if unknown is None else (unknown_mean(unknown, "page"),)
        alone = (_ALONE,) if "other image" not in self.effects.edits else ()
        return (*uniform_weights(self.capture, self.focus), *mean, *alone)

    def report(self, channels: Channels | None = None, edited: Edited | None = None) -> Report:
        """Return the report; its charts are drawn only when they are shown."""
        return intervention_report(
            self.outcome,
            self.effects,
            self.image.name,
            other_name=self.swapped.name if self.swapped else "",
            gate=self.gate,
            channels=channels,
            edited=edited,
            notes=self.notes,
        )
