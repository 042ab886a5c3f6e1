"""One function for all reports; the type of its subject determines the question."""

from collections.abc import Sequence

from se_viz.analysis.predictions import predict
from se_viz.data.images import InputImage
from se_viz.demo.design_choices import DESIGN_CHOICES
from se_viz.figures.row_thumbnails import row_thumbnail
from se_viz.interventions.capture import capture
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_profiles import class_report
from se_viz.reports.design_choices import design_report
from se_viz.reports.inspection import inspection_report
from se_viz.reports.network import network_report
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import about_model, about_profiles


def report(
    subject: Model | ClassProfiles | str,
    images: InputImage | Sequence[InputImage] | None = None,
    gates: Sequence[str] | None = None,
) -> Report:
    """Return the report that a page shows: sentences, charts and tables; a notebook displays it.

    A model with images: how the gates reweight the images. A model alone: where its gates are. Class profiles: where
    the gates become class-specific. A design choice, for instance "reduction ratio r": whether it matters for the demo
    models. The functions of ``se_viz.reports`` that compose these reports have more options.

    Args:
        subject: a model, class profiles, or the title of a design choice.
        images: images for a model, from ``read_paths(…).images`` or ``sample``.
        gates: the gates to show in detail (default: the last one; for class profiles the last of each stage).

    Raises:
        ValueError: there is no such choice, or images or gates do not apply to the subject.
        KeyError: there is no such gate.
    """
    if isinstance(subject, Model):
        chosen = [subject.gates[-1].name] if gates is None else list(gates)
        if images is None:
            return about_model(network_report(subject, chosen), subject)
        return _of_images(subject, [images] if isinstance(images, InputImage) else list(images), chosen)
    if images is not None:
        raise ValueError("Images need a model: pass the model first, as in report(model, images).")
    if isinstance(subject, ClassProfiles):
        return about_profiles(class_report(subject, gates=gates), subject)
    if gates is not None:
        raise ValueError("The report on a design choice has no gates to choose: leave them out.")
    for choice in DESIGN_CHOICES:
        if choice.title == subject:
            return design_report(choice)
    raise ValueError(
        f"There is no choice {subject!r}: choose one of {', '.join(choice.title for choice in DESIGN_CHOICES)}."
    )


def _of_images(model: Model, images: Sequence[InputImage], gates: Sequence[str]) -> Report:
    if not images:
        raise ValueError("There is no image: pass one or more.")
    captured = capture(model, images, maps=gates)
    names = [image.name for image in images]
    composed = inspection_report(
        captured,
        predict(model, captured, images=images),
        names,
        gates=gates,
        cut=lambda index: model.preprocess.center_crop(images[index].rgb),
        thumbnails=[row_thumbnail(image.rgb) for image in images],
    )
    return about_model(composed, model, names)
