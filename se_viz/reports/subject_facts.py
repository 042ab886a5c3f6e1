"""The facts on the subject of a report, for the head of its HTML file, its tables and the metadata of its figures."""

from collections.abc import Sequence

from se_viz.figures.provenance import Provenance
from se_viz.interventions.ablation import Ablation
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.report import Report
from se_viz.wording import counted

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
    source = profiles_source(profiles)
    return report.described(Model=source.model, Images=f"{source.images} of {len(profiles.classes)} classes")


def profiles_source(profiles: ClassProfiles) -> Provenance:
    """Return the network and the datasets of class profiles, for the metadata and the tables of files."""
    sources = " and ".join(source.name for source in profiles.header.sources)
    return Provenance(profiles.header.model.name, f"{sources}, {counted(int(profiles.counts.sum()), 'image')}")


def about_ablation(report: Report, ablation: Ablation) -> Report:
    """Return a report with the name of the model and the dataset that an ablation was measured with."""
    images = f"{ablation.source.name}, {counted(ablation.images, 'image')}"
    return report.described(Model=ablation.model.name, Images=images)
