"""The limits of class profiles, as sentences for readers of their charts."""

from collections.abc import Iterator

from se_viz.profiles.class_profiles import ClassProfiles, GateProfile
from se_viz.profiles.errors import NOT_FINITE
from se_viz.profiles.exact_sums import LIMIT
from se_viz.wording import signed


def limits(profiles: ClassProfiles) -> tuple[str, ...]:
    """Return a sentence for each limit: images left out, s clipped to the range, and the rounding of an old file.

    All counts of s outside the range are read, which takes seconds for many classes and channels.
    """
    return (
        *_left_out(profiles),
        *(said for gate in profiles for said in _clipped(profiles, gate)),
        *_rounded(profiles),
    )


def _left_out(profiles: ClassProfiles) -> Iterator[str]:
    number = sum(NOT_FINITE in reason for reason in profiles.header.refused.values())
    if number:
        images = "1 image was left out" if number == 1 else f"{number:,} images were left out"
        yield f"{images} because some weights of a gate were not finite (NaN or infinite)."


def _clipped(profiles: ClassProfiles, gate: GateProfile) -> Iterator[str]:
    low, high = gate.span if profiles.header.version == 1 else (-LIMIT, LIMIT)
    outside = f"above {high:g} and are counted as {high:g}"
    if low < 0:
        outside = f"outside {signed(low, 'g')} … {high:g} and are counted as the nearer end"
    if profiles.header.version == 1 and profiles.header.form == "compact":
        bounded = gate.entry.function not in ("relu", "other")
        edges = gate.histogram().edges
        if not bounded and ((edges >= high) | (edges <= low) & (low < 0)).any():
            yield f"Some s of {gate.name} were {outside}; the file does not say how many."
        return
    number = int(gate.clipped().sum())
    if number:
        share = number / (int(profiles.counts.sum()) * gate.entry.channels)
        yield f"{_percent(share)} of s of {gate.name} were {outside}."


def _rounded(profiles: ClassProfiles) -> Iterator[str]:
    if profiles.header.version == 1:
        yield (
            "These class profiles were written by an older SE Viz, which rounded s: "
            + (
                "quantiles and especially AUROC are approximate, and their margin can be large."
                if profiles.header.form == "compact"
                else "weights that differ by less than 1/65,535 of their range may count as equal."
            )
            + " Make them again with `python -m se_viz profile`."
        )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "Less than 0.1%"
