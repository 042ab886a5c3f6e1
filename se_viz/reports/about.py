"""The facts on the subject of a report, for the head of its HTML file."""

from collections.abc import Sequence

from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.report import Report

_NAMED = 24  # names of images in the head


def about_model(report: Report, model: Model, images: Sequence[str] = ()) -> Report:
    """Return a report with the name of its model, how the model was made and runs, and the names of the images."""
    height, width = model.preprocess.crop
    more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
    return report.described(
        Model=model.name,
        Weights=model.about,
        Input=f"{height} × {width}, {model.precision} on {model.device}",
        Images=", ".join(images[:_NAMED]) + more,
    )


def about_profiles(report: Report, profiles: ClassProfiles) -> Report:
    """Return a report with the name of the model and the images that class profiles were made of."""
    counted = f"{int(profiles.counts.sum()):,} images of {len(profiles.classes)} classes"
    sources = " + ".join(source.name for source in profiles.header.sources)
    return report.described(Model=profiles.header.model.name, Images=f"{sources}: {counted}")
