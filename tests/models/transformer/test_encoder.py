"""Layers and their products."""

from __future__ import annotations

import pytest
import torch

from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Layer, Linear, Norm


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_a_packed_product_is_the_product(dtype: torch.dtype, within: float) -> None:
    """Packing a weight for the CPU changes no more than the order of a sum, for any number of tokens."""
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(96, 64, generator=generator) / 8, torch.randn(96, generator=generator)
    plain = Linear(weight.to(dtype), bias.to(dtype))
    for n_tokens in (1, 7, 300):
        x = torch.randn(n_tokens, 64, generator=generator).to(dtype)
        wanted = torch.nn.functional.linear(x.double(), plain.weight.double(), plain.bias.double())
        torch.testing.assert_close(plain.pack()(x).double(), wanted, atol=within, rtol=within)


def test_norms_in_float32_keep_the_sums_in_float32() -> None:
    """Products in bfloat16 between norms in float32: closer to float32 than bfloat16 throughout, and a float32."""
    generator = torch.Generator().manual_seed(0)

    def linear(n_out: int, n_in: int) -> Linear:
        return Linear(torch.randn(n_out, n_in, generator=generator) / (8 * n_in**0.5), torch.zeros(n_out))

    def norm() -> Norm:
        return Norm(torch.ones(32), torch.zeros(32), 1e-12)

    def layer() -> Layer:
        return Layer(linear(96, 32), linear(32, 32), norm(), linear(64, 32), linear(32, 64), norm())

    encoder, cpu = Encoder(tuple(layer() for _ in range(8)), 4), torch.device("cpu")
    x, runs = torch.randn(30, 32, generator=generator), Runs((10, 20), cpu)
    exact = encoder(x, runs)
    mixed = encoder.to(cpu, torch.bfloat16, norms=torch.float32)(x, runs)
    rough = encoder.to(cpu, torch.bfloat16)(x.bfloat16(), runs)
    assert (mixed.dtype, rough.dtype) == (torch.float32, torch.bfloat16)
    assert (mixed - exact).norm() < 0.2 * (rough - exact).norm()


def test_the_activation_is_the_one_given() -> None:
    """A layer's feed-forward part uses what it is told to; ReLU where nothing is said."""
    plain = Linear(torch.eye(2), torch.zeros(2))
    nothing, norm = Linear(torch.zeros(2, 2), torch.zeros(2)), Norm(torch.ones(2), torch.zeros(2), 1e-12)
    project = Linear(torch.zeros(6, 2), torch.zeros(6))
    x, runs = torch.tensor([[1.0, -1.0]]), Runs((1,), torch.device("cpu"))
    for options, wanted in (({}, [2.0, -1.0]), ({"activation": torch.neg}, [0.0, 0.0])):
        layer = Layer(project, nothing, norm, plain, plain, norm, **options)
        normed = torch.nn.functional.layer_norm(torch.tensor([wanted]), (2,))
        torch.testing.assert_close(layer(x, runs, 1), normed, atol=1e-5, rtol=0)
