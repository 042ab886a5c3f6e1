"""Export of class profiles as a table for other programs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from se_viz.disk.atomic import replacing
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile
from se_viz.profiles.errors import ProfilesError


def export(profiles: ClassProfiles, path: str | Path) -> None:
    """Write one row for each gate, class and channel; gates are in execution order.

    Columns: gate, stage, block, class, channel, images, s_mean, s_std (over images, divisor N); except for compact
    class profiles z_mean, z_std, z_min, z_max, which are empty for a gate whose z is not known; model and data, the
    names of the network and of the datasets. Only one gate at a time is in memory.

    Args:
        profiles: class profiles to export.
        path: file to write, which ends in .parquet or .csv; written completely or not at all.

    Raises:
        ProfilesError: the file name has another ending.
        WriteFailed: the file cannot be written; the message says why.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise ProfilesError(f"Class profiles are exported as .parquet or .csv, not as {path.name}.")
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        if path.suffix == ".csv":
            for number, gate in enumerate(profiles):
                table(profiles, gate).to_csv(file, index=False, header=not number)
            return
        schema = pa.Schema.from_pandas(table(profiles, next(iter(profiles))), preserve_index=False)
        with pq.ParquetWriter(file, schema) as writer:
            for gate in profiles:
                writer.write_table(pa.Table.from_pandas(table(profiles, gate), schema, preserve_index=False))


def table(profiles: ClassProfiles, gate: GateProfile) -> pd.DataFrame:
    """Return the rows of one gate, by class and channel."""
    entry, classes = gate.entry, len(profiles.classes)
    s = gate.s()
    columns = {
        "gate": entry.name,
        "stage": np.int32(entry.stage),
        "block": np.int32(entry.block),
        "class": np.repeat(np.asarray(profiles.classes, dtype=object), entry.channels),
        "channel": np.tile(np.arange(entry.channels, dtype=np.int32), classes),
        "images": np.repeat(s.count, entry.channels),
        "s_mean": s.mean.ravel(),
        "s_std": s.std.ravel(),
    }
    if gate.has_z:
        z, (low, high) = gate.z(), gate.z_range()
        columns |= {"z_mean": z.mean.ravel(), "z_std": z.std.ravel(), "z_min": low.ravel(), "z_max": high.ravel()}
    elif profiles.header.form == "exact":
        columns |= {f"z_{what}": np.full(classes * entry.channels, np.nan) for what in ("mean", "std", "min", "max")}
    columns |= {
        "model": profiles.header.model.name,
        "data": " and ".join(source.name for source in profiles.header.sources),
    }
    return pd.DataFrame(columns)
