"""One call for every report: what it is about says which question is answered."""

from collections.abc import Sequence

from se_viz.analysis.predictions import predict
from se_viz.data.images import InputImage
from se_viz.demo.design_choices import DESIGN_CHOICES
from se_viz.model.capture import capture
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_profiles import class_report
from se_viz.reports.design_choices import design_report
from se_viz.reports.inspection import inspection_report
from se_viz.reports.network import network_report
from se_viz.reports.report import Report


def report(
    subject: Model | ClassProfiles | str,
    images: InputImage | Sequence[InputImage] | None = None,
    gates: Sequence[str] | None = None,
) -> Report:
    """Return the report that a page shows: sentences, charts and tables; a notebook shows it as it is.

    Of a model and images: what the gates do to the images. Of a model alone: where its gates are. Of class profiles:
    where classes part. Of a choice in the design of a gate, for instance "reduction ratio r": whether it matters to the
    demo models. The functions of ``se_viz.reports`` that compose them take further options.

    Args:
        subject: a model, class profiles, or the title of a choice.
        images: of files or samples, as ``read_paths(…).images`` and ``sample`` give them, for a model.
        gates: those to look at in depth; the last if not given, and for class profiles the last of each stage.

    Raises:
        ValueError: there is no such choice, or images do not belong to the subject.
        KeyError: there is no such gate.
    """
    if isinstance(subject, Model):
        chosen = [subject.gates[-1].name] if gates is None else list(gates)
        if images is None:
            return network_report(subject, chosen)
        return _of_images(subject, [images] if isinstance(images, InputImage) else list(images), chosen)
    if images is not None:
        raise ValueError("Images need a model that reads them: pass the model first, as in report(model, images).")
    if isinstance(subject, ClassProfiles):
        return class_report(subject, gates=gates)
    if gates is not None:
        raise ValueError("A choice has networks of its own, so gates cannot be named for it: leave them out.")
    for choice in DESIGN_CHOICES:
        if choice.title == subject:
            return design_report(choice)
    raise ValueError(f"No choice {subject!r}; there are {', '.join(choice.title for choice in DESIGN_CHOICES)}.")


def _of_images(model: Model, images: Sequence[InputImage], gates: Sequence[str]) -> Report:
    if not images:
        raise ValueError("There is no image to report on: pass one or more.")
    captured = capture(model, images, maps=gates)
    return inspection_report(
        captured,
        predict(model, captured),
        [image.name for image in images],
        gates=gates,
        cut=lambda index: model.preprocess.center_crop(images[index].rgb),
    )
