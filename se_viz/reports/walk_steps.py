"""The steps of the walk-through, in order."""

from se_viz.analysis.walk import Walk
from se_viz.reports.walk_block_steps import filter_step, image_step, norm_step, output_step
from se_viz.reports.walk_gate_steps import excitation_steps, scale_step, squeeze_step
from se_viz.reports.walk_step import Step


def walk_steps(walk: Walk, row: int | None = None, column: int | None = None) -> tuple[Step, ...]:
    """Return the steps of the walk-through.

    Args:
        walk: the way of one channel of one image.
        row, column: the pixel whose convolution is printed; by default the one where |U_c| is largest.
    """
    brightest = walk.brightest
    pixel = (brightest[0] if row is None else row, brightest[1] if column is None else column)
    steps = [image_step(walk)]
    if walk.convolution is not None:
        steps += [filter_step(walk, pixel), norm_step(walk, pixel)]
    steps += [squeeze_step(walk), *excitation_steps(walk), scale_step(walk, pixel), output_step(walk, pixel)]
    return tuple(steps)
