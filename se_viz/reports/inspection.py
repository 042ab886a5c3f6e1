"""The report on images: the predictions of a network, and z and s of its gates."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image

from se_viz.analysis.channel_change import Choice, change, choose_channels
from se_viz.analysis.channel_order import AT_FIRST, Order
from se_viz.analysis.head_sentences import meaning
from se_viz.analysis.health import Health, health
from se_viz.analysis.predictions import Predictions
from se_viz.analysis.verdicts import verdict_counts
from se_viz.figures.chart import Chart
from se_viz.figures.gate_scatter import distribution, excitation
from se_viz.figures.heatmap import attention_heatmap, deviation_heatmap
from se_viz.figures.maps import MOST, overlay_maps, recalibrated_maps
from se_viz.gates.capture import Capture, GateCapture
from se_viz.reports.report import Later, Report
from se_viz.reports.tables import capture_table, maps_bytes, predictions_table, table_bytes, without_z
from se_viz.types import AnyFloats, Float32s
from se_viz.wording import signed

QUESTION = "How did the SE gates reweight this image?"

SEEN = 1e-4
"""Standard deviations of s below this may be rounding, and say nothing about the image."""

_TWO_DIGITS = 0.005  # the smallest value that is not 0.00 in two digits

Charts = dict[str, Callable[[], Chart]]


def inspection_report(
    capture: Capture,
    predictions: Predictions,
    names: Sequence[str],
    focus: int = 0,
    *,
    order: Order = AT_FIRST,
    gates: Sequence[str] = (),
    channels: Choice = "largest change",
    cut: Callable[[int], Image.Image] | None = None,
    choice: str = "head=",
    healths: Mapping[str, Health] | None = None,
    means: Mapping[str, AnyFloats] | None = None,
    thumbnails: Sequence[str] = (),
) -> Report:
    """Compose the report on images.

    Sentences: the prediction for the image in focus, and the gates where s is lowest, highest and varies most; the
    verdicts on the gates. Charts: ``heatmap_GATE`` for each gate, and ``deviation_GATE`` if the mean of s over many
    images is known; for each of ``gates`` and each image, by its number from 1, ``z_against_s_GATE_1``
    (``s_by_channel_GATE_1`` without z), ``distribution_GATE_1``, and if maps were captured ``maps_GATE_1`` and
    ``overlay_GATE_1``. Tables: ``capture``, ``predictions``. Files: the capture as Parquet, ``health.json``,
    ``maps_GATE.npz``.

    Args:
        capture: a capture of N images.
        predictions: the predictions for the same images.
        names: names of the images.
        focus: index of the image that the first sentence is about.
        order: order of the channels in the heatmaps.
        gates: the gates to draw for each image.
        channels: criterion for the channels whose maps are drawn.
        cut: returns the image with an index, as the network sees it; without it no overlay is drawn.
        choice: the argument, option or control of the page that sets the meaning of the outputs.
        healths: the healths of the gates, if they are computed already.
        means: mean of s of each gate over the images of class profiles (C,).
        thumbnails: a data URL of each image, for the rows of the heatmaps (default: none).
    """
    judged = gate_healths(capture) if healths is None else healths
    charts: Charts = {
        f"heatmap_{gate_capture.gate.name}": partial(
            attention_heatmap, gate_capture, names, order, focus, thumbnails=thumbnails
        )
        for gate_capture in capture
    }
    for name, mean in (means or {}).items():
        charts[f"deviation_{name}"] = partial(deviation_heatmap, capture[name], mean, names, order, focus, thumbnails)
    files: dict[str, Callable[[], bytes]] = {
        "capture.parquet": lambda: table_bytes(tables["capture"], "parquet"),
        "health.json": partial(_health_json, judged),
    }
    for gate in gates:
        gate_capture = capture[gate]
        for index, name in enumerate(names):
            kind = "s_by_channel" if gate_capture.z is None else "z_against_s"
            charts[f"{kind}_{gate}_{index + 1}"] = partial(excitation, gate_capture, names, index)
            charts[f"distribution_{gate}_{index + 1}"] = partial(distribution, gate_capture, names, index)
            if gate_capture.u is not None:
                of_image = partial(cut, index) if cut else None
                charts |= maps_charts(gate_capture, index, name, channels, cut=of_image, mean=(means or {}).get(gate))
        if gate_capture.u is not None:
            files[f"maps_{gate}.npz"] = partial(maps_bytes, capture, gate, names)
    tables: Later[pd.DataFrame] = Later(
        {
            "capture": partial(capture_table, capture, names),
            "predictions": partial(predictions_table, predictions, names),
        }
    )
    meant = meaning(predictions.fitted, choice) if predictions.fitted else ""
    return Report(
        QUESTION,
        partial(_sentences, capture, predictions, focus, judged),
        Later(charts),
        tables,
        tuple(filter(None, (meant, without_z(capture)))),
        Later(files),
    )


def gate_healths(capture: Capture) -> Later[Health]:
    """Return the health of each gate by name, in execution order; each is computed at its first use."""
    return Later(
        {
            gate_capture.gate.name: partial(health, gate_capture.s, gate_capture.gate.gate_function)
            for gate_capture in capture
        }
    )


def maps_charts(
    gate_capture: GateCapture,
    index: int,
    name: str,
    by: Choice,
    picked: list[int] | None = None,
    cut: Callable[[], Image.Image] | None = None,
    mean: AnyFloats | None = None,
) -> Charts:
    """Return charts of U, X̃ and X̃ − U of some channels of one image: ``maps_GATE_1``, and ``overlay_GATE_1``.

    Args:
        gate_capture: the values of one gate, with maps.
        index: index of the image in them, from 0; the names of the charts end with its number from 1.
        name: name of the image.
        by: criterion for the channels.
        picked: numbers of the channels, for "chosen"; nothing is drawn for an empty list.
        cut: returns the image as the network sees it; without it no overlay is drawn.
        mean: mean of s over the images of class profiles (C,), with which "largest change" compares.
    """
    channels = choose_channels(gate_capture.s[index], change(gate_capture, mean)[index], by, MOST, picked)
    if not channels:
        return {}
    suffix = f"{gate_capture.gate.name}_{index + 1}"
    charts: Charts = {f"maps_{suffix}": partial(recalibrated_maps, gate_capture, index, channels, name)}
    if cut:
        charts[f"overlay_{suffix}"] = lambda: overlay_maps(gate_capture, index, channels, name, cut())
    return charts


def _sentences(
    capture: Capture, predictions: Predictions, focus: int, healths: Mapping[str, Health]
) -> tuple[str, ...]:
    return (
        summary(capture, focus, predictions.images[focus].sentence),
        verdict_counts({name: gate_health.verdict for name, gate_health in healths.items()}),
    )


def _health_json(healths: Mapping[str, Health]) -> bytes:
    content = {name: asdict(gate_health) for name, gate_health in healths.items()}
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def summary(capture: Capture, focus: int, said: str) -> str:
    """Return the sentences on the prediction and on the gates where s is lowest, highest and varies most.

    Args:
        capture: a capture of N images.
        focus: index of the image that the sentences are about.
        said: a sentence on the network's prediction for it, or on why it has no prediction.
    """
    weights = {name: gate_capture.s for name, gate_capture in capture.gates.items()}
    sentences = [said, capture.not_finite] if capture.not_finite else [said]
    finite = {name: s for name, s in weights.items() if np.isfinite(s[focus]).all()}
    return " ".join([*sentences, *_means(finite, focus), *_changes(_whole(weights))])


def _whole(weights: Mapping[str, Float32s]) -> Mapping[str, Float32s]:
    """Return s of the gates that are finite for some image, for the images for which all of these are finite."""
    rows = {name: np.isfinite(s).all(axis=1) for name, s in weights.items()}
    some = [name for name, whole in rows.items() if whole.any()]
    everywhere = np.logical_and.reduce([rows[name] for name in some]) if some else []
    return {name: weights[name][everywhere] for name in some}


def _means(weights: Mapping[str, Float32s], focus: int) -> list[str]:
    """Return a sentence on the gates where s is lowest and highest for the image in focus."""
    # The mean is used, because rounding would change a share of channels below a threshold.
    mean = {name: float(s[focus].mean()) for name, s in weights.items()}
    if not mean:
        return []
    low, high = min(mean, key=lambda name: mean[name]), max(mean, key=lambda name: mean[name])
    if low == high:
        return [f"The mean weight in {low} is {signed(mean[low], '.2f')}."]
    return [
        f"Mean weight is lowest in {low} (mean of s {signed(mean[low], '.2f')}) and highest in {high} "
        f"({signed(mean[high], '.2f')})."
    ]


def _changes(weights: Mapping[str, Float32s]) -> list[str]:
    """Return a sentence on the gate whose s varies most between the images."""
    images = len(next(iter(weights.values()), ()))
    if images < 2:
        return []
    varies = {name: float(s.std(axis=0).mean()) for name, s in weights.items()}
    apart = max(varies, key=lambda name: varies[name])
    if varies[apart] < SEEN:
        where = "Its s" if len(varies) == 1 else "In every gate s"
        return [f"{where} varies by less than {SEEN:g} between these {images} images."]
    by = f"{varies[apart]:.2f}" if varies[apart] >= _TWO_DIGITS else f"{varies[apart]:.1g}"
    if len(varies) == 1:
        return [f"Its s varies by {by} between these {images} images."]
    return [f"The gate that treats these {images} images most differently is {apart} (s varies by {by} between them)."]
