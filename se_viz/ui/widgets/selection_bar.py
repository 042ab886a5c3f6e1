"""The bar of every page with the selection: model, image, gate, channel, and the two classes of a comparison.

A page shows the parts that it uses; the others stay chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.data.images import InputImage
from se_viz.ui.state import presentation, selection
from se_viz.ui.state.selection import CHANNEL, CLASS_A, CLASS_B, GATE, IMAGE, MODEL
from se_viz.ui.widgets import image_focus, image_number, link_messages
from se_viz.ui.widgets.choice import check

_KEY = "selection_bar"
_FIELDS = ':is([data-testid="stSelectbox"], [data-testid="stNumberInput"])'
_CHARTS = (
    *("heatmap_SE", "deviation_SE", "z_against_s", "s_by_channel", "attribution", "effect"),
    *("eta_by_gate", "class_saturation"),
)
_CLICKABLE = f":is({', '.join(f'[class*=st-key-chart_{name}]' for name in _CHARTS)})"

STYLE = f"""<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-{_KEY}) {{position: sticky; top: 3.75rem; z-index: 90}}
.st-key-{_KEY} {{padding: .3rem 0; background: light-dark(#fdfcf9, #12151c);
  border-bottom: 1px solid rgba(126,135,146,.35)}}
.st-key-{_KEY} > div {{flex: 0 1 auto; min-width: 0}}
.st-key-{_KEY} > div:not(:has([data-testid="stElementContainer"])) {{display: none}}
.st-key-{_KEY} {_FIELDS} {{display: flex; align-items: center; gap: .4rem}}
.st-key-{_KEY} {_FIELDS} > label {{min-height: 0; margin: 0; width: auto; flex: none}}
.st-key-{_KEY} {_FIELDS} > div {{flex: 1; min-width: 0}}
.st-key-{_KEY} input {{text-overflow: ellipsis}}
[data-testid="stSelectboxVirtualDropdown"], [data-testid="stSelectboxVirtualDropdown"] > div {{
  min-width: min(20rem, 80vw)}} /* a list of long names below a short field */
.st-key-{_KEY} [data-testid^="stNumberInputStep"] {{display: none}} /* arrow keys remain */
.st-key-{_KEY} > div:has(.st-key-gate) {{min-width: 6.6rem}}
.st-key-{_KEY} > div:has(.st-key-channel) {{min-width: 8.2rem}}
.st-key-{_KEY} > div:has(.st-key-view_link) {{flex: none}}
@media (min-width: 1200px) {{.st-key-{_KEY} {{flex-wrap: nowrap; gap: .6rem}}}}
.se-card, {_CLICKABLE} .nsewdrag {{cursor: pointer}}
@media (max-width: 640px) {{
  .st-key-{_KEY} {{gap: .3rem}}
  .st-key-{_KEY} > div {{flex: 1 1 22%}}
  .st-key-{_KEY} > div:has(.st-key-channel) {{min-width: 0}}
  .st-key-{_KEY} > div:has(.st-key-class_a, .st-key-class_b) {{flex-basis: 36%}}
  .st-key-{_KEY} > div:has(.st-key-model, .st-key-focus) {{flex-basis: 45%}}
  .st-key-{_KEY}:has(.st-key-channel):not(:has(.st-key-focus, .st-key-class_a)) > div:has(.st-key-model) {{
    flex-basis: 30%}} /* all in one line */
  .st-key-{_KEY} {_FIELDS} > label {{display: none}}
}}
</style>"""

_WIDTHS = {"model": 190, "image": 190, "gate": 110, "channel": 150, "class_a": 190, "class_b": 190}  # pixels


@dataclass(frozen=True)
class SelectionBar:
    """The places of the parts in the bar, from left to right."""

    model: DeltaGenerator
    image: DeltaGenerator
    gate: DeltaGenerator
    channel: DeltaGenerator
    class_a: DeltaGenerator
    class_b: DeltaGenerator
    link: DeltaGenerator

    @classmethod
    def draw(cls) -> "SelectionBar":
        """Draw the bar, empty; it stays below the menu while the page scrolls."""
        selection.start()
        with st.container(key=_KEY, horizontal=True, vertical_alignment="center", gap="small"):
            parts = (_WIDTHS.get(part.name) for part in fields(cls))
            return cls(*(st.container(width=presentation.wide(width) if width else "content") for width in parts))

    def choose_model(self, names: Sequence[str], first: str, problem: DeltaGenerator) -> str:
        """Return the name of the model; ``problem`` is where to say that a link asks for another one."""
        return _list("Model", names, MODEL, first, self.model, "collapsed", problem)

    def choose_image(self, images: Sequence[InputImage]) -> int:
        """Return the index of the image in focus; with one image there is nothing to choose."""
        hashes = [image.sha256 for image in images]
        with self.image:
            link_messages.repeat(IMAGE)
        index = image_focus.index(hashes)
        if len(images) > 1:
            st.session_state[IMAGE] = hashes[index]
            with self.image:
                image_number.draw("Image", hashes, images, IMAGE, label_visibility="collapsed")
        selection.note(IMAGE, index + 1)
        return index

    def choose_gate(self, gates: Sequence[str], first: str) -> str:
        """Return the gate: ``first`` until the user chooses one."""
        return _list("Gate", gates, GATE, first, self.gate, "collapsed")

    def choose_channel(self, count: int, first: int | None = None) -> int | None:
        """Return the channel of a gate with ``count`` channels: ``first``, or None, until the user chooses one."""
        known = selection.number(CHANNEL, count)
        value = first if known is None else known
        if known is None and (asked := link_messages.asked(CHANNEL)):
            instead = "no channel" if first is None else str(first)
            link_messages.warn(
                CHANNEL, f"channel {asked[0]}", f"there are channels 0 to {count - 1}", instead, value=first
            )
        else:
            link_messages.repeat(CHANNEL)
        st.session_state[CHANNEL] = value  # in every run: the widget of another page is another one
        with self.channel:
            channel: int | None = st.number_input(
                "Channel",
                0,
                count - 1,
                value=None,
                key=CHANNEL,
                step=1,
                on_change=_choose,
                args=(CHANNEL,),
                placeholder="none",
            )
        if channel is not None:
            selection.note(CHANNEL, channel)
        return channel

    def choose_classes(self, classes: Sequence[str], first: tuple[str, str]) -> tuple[str, str]:
        """Return the two classes of the comparison: ``first`` until the user chooses others."""
        return (
            _list("Class A", classes, CLASS_A, first[0], self.class_a),
            _list("Class B", classes, CLASS_B, first[1], self.class_b),
        )


def _list(
    name: str,
    options: Sequence[str],
    key: str,
    first: str,
    place: DeltaGenerator,
    label: Literal["visible", "collapsed"] = "visible",
    problem: DeltaGenerator | None = None,
) -> str:
    check(name, options, key, first, problem)
    chosen = selection.chosen(key)
    st.session_state[key] = chosen if chosen in options else first
    value: str = place.selectbox(name, options, key=key, on_change=_choose, args=(key,), label_visibility=label)
    selection.note(key, value)
    return value


def _choose(key: str) -> None:
    """Make the value of a widget the choice; an emptied field takes the choice back. For callbacks."""
    value = st.session_state[key]
    if value is None:
        selection.forget(key)
    else:
        selection.choose(**{key: value})
