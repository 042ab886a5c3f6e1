"""Parts that wrappers, compilers and trainers add to the names of tensors, at the start and in the middle."""

from collections.abc import Iterator

# Names under which wrapper modules keep the module that they wrap: DataParallel, DDP and AveragedModel; torch.compile;
# FSDP; activation checkpointing; fairscale; Lightning Fabric; DeepSpeed.
WRAPPERS = frozenset({
    *("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module"),
    *("_forward_module", "_original_module", "_wrapped_module", "_ddp_module"),
})  # fmt: skip

# Maximum number of parts of a name. No network has more, and splitting a longer name at each part takes long.
_DEEPEST = 30


def bare(name: str) -> str:
    """Return a tensor's name without wrappers: "layer1._orig_mod.0.module.weight" is "layer1.0.weight"."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def endings(name: str) -> Iterator[tuple[str, str]]:
    """Yield each way to split a name into a prefix and a bare name.

    Of "model.module.fc.bias": ("", "model.fc.bias"), ("model.", "fc.bias"), ("model.module.", "fc.bias"), and so on.
    """
    parts = name.split(".")
    if len(parts) > _DEEPEST:
        return
    rest = bare(name)
    start = 0
    for part in parts:
        yield name[:start], rest
        start += len(part) + 1
        if part not in WRAPPERS:
            rest = rest[len(part) + 1 :]
