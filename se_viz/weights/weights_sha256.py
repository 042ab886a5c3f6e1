"""The identity of weights: a sha256 that does not depend on the file that they were loaded from."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Rounding:
    """A conversion of weights to half precision, after which those that were published cannot be hashed any more.

    Attributes:
        before, after: sha256 of the weights in the precision in which they were published, and as converted.
    """

    before: str
    after: str


def weights_sha256(network: nn.Module) -> str:
    """Return the sha256 of all parameters and buffers with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        host = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {host.dtype} {tuple(host.shape)}\n".encode())
        digest.update(host.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
