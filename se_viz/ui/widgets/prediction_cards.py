"""The strip of images, each with the predictions of the network."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from se_viz.analysis.predictions import ImagePredictions, Prediction, Predictions
from se_viz.data.images import InputImage
from se_viz.figures.palette import ACCENT, MUTED
from se_viz.ui.widgets.thumbnails import thumbnail

_STYLE = f"""<style>
.se-strip {{display:flex;gap:.75rem;overflow-x:auto;padding:.15rem .15rem .6rem}}
.se-card {{flex:0 0 17.5rem;min-width:0;display:flex;gap:.6rem;padding:.5rem;margin:0;border-radius:.4rem;
  border:1px solid rgba(126,135,146,.35)}}
.se-card img {{width:6rem;height:6rem;object-fit:cover;border-radius:.25rem}}
.se-card figcaption {{flex:1;min-width:0;font-size:.75rem;line-height:1.15}}
.se-name {{font-weight:600;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;margin-bottom:.2rem}}
.se-bar {{position:relative;display:flex;justify-content:space-between;gap:.4rem;padding:.06rem .25rem;
  margin-bottom:.1rem;border-radius:.15rem;overflow:hidden}}
.se-bar i {{position:absolute;inset:0 auto 0 0;background:{ACCENT};opacity:.28}}
.se-said {{font-weight:600}}
.se-bar span {{position:relative;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}}
.se-bar span:last-child {{flex:none}}
.se-closest {{font-style:italic;margin-bottom:.1rem}}
.se-outside .se-bar {{opacity:.72}}
.se-outside .se-bar i {{background:{MUTED}}}
.se-outside .se-said {{font-weight:400}}
</style>"""


def show(images: Sequence[InputImage], predictions: Predictions, focus: int) -> None:
    """Draw the strip, which scrolls sideways if it is wider than the page."""
    cards = "".join(
        _card(index, image, predicted, missing=bool(predictions.missing))
        for index, (image, predicted) in enumerate(zip(images, predictions.images, strict=True))
    )
    label = 'role="list" tabindex="0" aria-label="Images and their predictions"'
    st.html(f'{_STYLE}<div class="se-strip" {label}>{cards}</div>')
    # A separate element, so that a change of focus does not send every image again.
    frame = f"border-color:{ACCENT};box-shadow:0 0 0 1px {ACCENT}"
    st.html(f"<style>.se-card:nth-child({focus + 1}) {{{frame}}}</style>")


def _card(index: int, image: InputImage, said: ImagePredictions, *, missing: bool) -> str:
    """Return the HTML of an image with its predictions; the page says once why there are no predictions."""
    bars = "".join(map(_bar, said.shown)) or ("no predictions" if missing else escape(said.sentence))
    name = escape(image.name)
    closest = f'<div class="se-closest">{escape(said.closest)}</div>' if said.closest else ""
    return (
        f'<figure class="se-card{" se-outside" * said.outside}" role="listitem">'
        f'<img src="{thumbnail(image)}" alt="{name}">'
        f'<figcaption><div class="se-name" title="{name}">{index + 1} {name}</div>{closest}{bars}</figcaption></figure>'
    )


def _bar(prediction: Prediction) -> str:
    share = "" if prediction.probability is None else f'<i style="width:{prediction.probability:.1%}"></i>'
    strong = ' class="se-said"' if prediction.holds else ""
    return (
        f'<div class="se-bar">{share}<span{strong}>{escape(prediction.label)}</span>'
        f"<span{strong}>{prediction.amount}</span></div>"
    )
