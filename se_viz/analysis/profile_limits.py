"""What an atlas cannot say, or says only roughly, in sentences for whoever reads its charts."""

from collections.abc import Iterator

from se_viz.profiles.class_profiles import Atlas, GateAtlas
from se_viz.profiles.errors import NOT_FINITE
from se_viz.profiles.exact_sums import LIMIT


def limits(atlas: Atlas) -> tuple[str, ...]:
    """One sentence for each: images without numbers, s that counts as another value, the rounding of an old file.

    All counts of s beyond the range are gone through, so of many classes and channels it takes seconds.
    """
    return (*_left_out(atlas), *(said for gate in atlas for said in _clipped(atlas, gate)), *_rounded(atlas))


def _left_out(atlas: Atlas) -> Iterator[str]:
    number = sum(NOT_FINITE in reason for reason in atlas.header.refused.values())
    if number:
        images = "1 image was left out" if number == 1 else f"{number:,} images were left out"
        yield f"{images} because a gate gave weights that are not finite (NaN or infinite)."


def _clipped(atlas: Atlas, gate: GateAtlas) -> Iterator[str]:
    low, high = gate.span if atlas.header.version == 1 else (-LIMIT, LIMIT)
    beyond = f"above {high:g} and are counted as {high:g}"
    if low < 0:
        beyond = f"beyond {low:g} … {high:g} and are counted as the nearer end"
    if atlas.header.version == 1 and atlas.header.form == "compact":
        bounded = gate.entry.function not in ("relu", "other")
        edges = gate.histogram().edges
        if not bounded and ((edges >= high) | (edges <= low) & (low < 0)).any():
            yield f"Some s of {gate.name} were {beyond}; the file does not say how many."
        return
    number = int(gate.outside().sum())
    if number:
        share = number / (int(atlas.counts.sum()) * gate.entry.channels)
        yield f"{_percent(share)} of s of {gate.name} were {beyond}."


def _rounded(atlas: Atlas) -> Iterator[str]:
    if atlas.header.version == 1:
        yield (
            "These class profiles were written by an older SE Viz, which rounded s: "
            + (
                "quantiles, and AUROC above all, are approximate, and their margin can be large."
                if atlas.header.form == "compact"
                else "weights that are closer than 1/65,535 of their range may count as equal."
            )
            + " Make them again with `python -m se_viz profile`."
        )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "Less than 0.1%"
