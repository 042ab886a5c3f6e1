"""Networks and images that cannot be read, and what networks raise themselves."""

import torch
from torch import Tensor, fx, nn

from se_viz.gates.errors import NotAnImageModel, NotReadable
from se_viz.weights.tensor_kinds import kind_of

# Exceptions that networks raise on an input they do not take.
REJECTIONS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def check_readable(network: nn.Module) -> None:
    """Raise NotReadable if hooks cannot reach the modules of a network, or if it has no weights or is not a module."""
    if not isinstance(network, nn.Module):
        raise NotReadable(f"A torch.nn.Module is needed, not {type(network).__name__}.")
    for path, module in network.named_modules():
        what = f"Its part {path}" if path else "This network"
        # Lazy modules pass this check: they get their numbers in their first pass.
        if any(tensor is not None and tensor.is_meta for tensor in module._parameters.values()):
            raise NotReadable(f"{what} has no weights (it is on the meta device), so it cannot run: load its weights.")
        if isinstance(module, torch.jit.ScriptModule):
            raise NotReadable(f"{what} is scripted (TorchScript), so its gates cannot be read: load the Python model.")
        if isinstance(module, fx.GraphModule):
            raise NotReadable(f"{what} is a graph (torch.fx or export) without its original modules: load those.")
        # OptimizedModule keeps the original module; Module.compile() replaces the call of the module itself.
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise NotReadable(f"{what} is compiled, so its gates cannot be read: pass the model before torch.compile.")


def require_images(images: object) -> Tensor:
    """Return preprocessed images (N, 3, H, W), N ≥ 1, of floats.

    Raises:
        NotAnImageModel: these are not; the message says what to give.
    """
    if not isinstance(images, Tensor):
        raise NotAnImageModel(
            "A bare network takes preprocessed images (N, 3, H, W): wrap it in a Model, which preprocesses images."
        )
    if kind := kind_of(images):
        advice = {"nested": "make all images equal in size and stack them", "quantised": "images.dequantize()"}
        what_to_do = "give their numbers" if images.is_meta else advice.get(kind, "images.to_dense()")
        raise NotAnImageModel(f"Images must be a dense tensor (N, 3, H, W), and this one is {kind}: {what_to_do}.")
    if not images.is_floating_point():
        raise NotAnImageModel(f"A bare network takes preprocessed images: floats, not {images.dtype}.")
    if images.ndim != 4 or not len(images):
        raise NotAnImageModel(f"Images must be (N, 3, H, W) with N ≥ 1, not {tuple(images.shape)}.")
    return images


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def refuse_tracing() -> None:
    """Raise RuntimeError in a mode that torch would compile together with the code that runs under it.

    Torch calls it while it compiles, so the error is one that ``refuse_compiled`` recognises.
    """
    raise RuntimeError("compiled code")


def refuse_compiled(network: nn.Module, error: BaseException) -> None:
    """Raise NotReadable if an error of a network was raised while torch compiled a function that it calls."""
    frame, operator = error.__traceback__, ""
    while frame is not None:
        module = str(frame.tb_frame.f_globals.get("__name__"))
        if module.startswith("torch._higher_order_ops.") and not operator:
            operator = frame.tb_frame.f_code.co_name
        if module == "torch._dynamo.convert_frame":
            name, inside = type(network).__name__, '`with torch.compiler.set_stance("force_eager"):`'
            if operator:
                said = f"{name} calls `{operator}`, which torch compiles as it runs: make this call inside {inside}."
            else:
                said = (
                    f"{name} calls compiled code (torch.compile), whose calls cannot be read: take the code before it "
                    f"is compiled, or make this call inside {inside}."
                )
            raise NotReadable(said) from error
        frame = frame.tb_next
