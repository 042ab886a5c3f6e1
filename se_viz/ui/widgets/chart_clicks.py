"""The meaning of a click on a chart: which image, gate and channel it chooses."""

import re
from collections.abc import Mapping
from typing import TypeAlias

from se_viz.ui.state.selection import CHANNEL, GATE, IMAGE

Click: TypeAlias = Mapping[str, str | int | float | None]
"""The browser's message of a click: name of the ``chart``; ``row`` of a heatmap; ``x``, ``y``, ``id``, ``custom``."""

_GATE = r"(?P<gate>SE_\d+_\d+[a-z]*)"
_CHANNEL = re.compile(r"(?:channel )?(\d{1,6})")

# Charts by name, and the part of a click with the channel.
_CHANNELS = {
    rf"(?:heatmap|deviation)_{_GATE}": "x",
    rf"z_against_s_{_GATE}": "custom",
    rf"s_by_channel_{_GATE}": "custom",
    rf"attribution_{_GATE}": "y",
    rf"effect_{_GATE}": "y",
}
_ROWS = ("heatmap", "deviation")  # charts with a row for each image
# Charts with a gate in each place on the horizontal axis, or as the name of a tile.
_GATES = {"eta_by_gate": "x", "class_saturation": "x", "gate_heatmap": "x", "gates": "id"}


def chosen_by(click: Click) -> dict[str, str | int]:
    """Return the choices that a click makes, by their names in the URL; none for a chart that chooses nothing."""
    chart, row = str(click.get("chart", "")), click.get("row")
    if chart == "cards":
        return {IMAGE: row + 1} if isinstance(row, int) else {}
    if chart in _GATES:
        gate = str(click.get(_GATES[chart]) or "")
        return {GATE: gate} if re.fullmatch(_GATE, gate) else {}
    for pattern, part in _CHANNELS.items():
        found = re.fullmatch(pattern, chart)
        channel = _CHANNEL.fullmatch(_text(click.get(part))) if found else None
        if found and channel:
            image = {IMAGE: row + 1} if chart.startswith(_ROWS) and isinstance(row, int) else {}
            return {GATE: found["gate"], CHANNEL: int(channel[1]), **image}
    return {}


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
