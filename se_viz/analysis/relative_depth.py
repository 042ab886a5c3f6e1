"""The depth of a gate as a share of its network, by which gates of different networks are compared."""

from collections.abc import Sequence


def relative_depths(gates: Sequence[str]) -> dict[str, float]:
    """Return the depth of each gate: 0 for the first, 1 for the last; 1 for the only gate of a network.

    Args:
        gates: names of the gates of a network, in execution order.
    """
    last = len(gates) - 1
    return {gate: place / last if last else 1.0 for place, gate in enumerate(gates)}


def nearest_gate(gate: str, gates: Sequence[str], among: Sequence[str]) -> str:
    """Return the gate of another network whose relative depth is nearest to that of a gate; of two, the deeper one.

    Args:
        gate: name of the gate.
        gates: names of all gates of its network, in execution order.
        among: names of the gates of the other network, in execution order.
    """
    depth = relative_depths(gates)[gate]
    others = relative_depths(among)
    return min(reversed(among), key=lambda name: abs(others[name] - depth))
