"""The device is the one asked for, or an error; the number format is one the hardware has."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch

from zsgate.errors import UsageProblem
from zsgate.models import device
from zsgate.models.device import chosen, chosen_device, chosen_dtype, cpu_flags, fast_dtype, one_thread_each


def test_the_cpu_needs_nothing():
    """Without --gpu the CPU is used, also where a GPU is there."""
    assert chosen(False) == "cpu"


def test_a_gpu_is_never_replaced_silently():
    """--gpu runs on CUDA or says why it cannot, in one sentence."""
    if torch.cuda.is_available():
        assert chosen(True) == "cuda"
        return
    with pytest.raises(UsageProblem, match=r"^--gpu: torch .* sees no CUDA device; leave --gpu out to run on the CPU$"):
        chosen(True)


def test_the_fast_format_is_the_hardware_s():
    """bfloat16 exactly where the CPU multiplies it natively, as the kernel's list of its features says."""
    features = Path("/proc/cpuinfo")
    if not features.is_file() or "flags" not in features.read_text():
        pytest.skip("the kernel does not list the CPU's features here")
    native = {"avx512_bf16", "amx_tile"} & set(features.read_text().split())
    assert fast_dtype("cpu") == ("bfloat16" if native else "float32")


def test_the_system_and_torch_agree_on_the_cpu():
    """What is read of the system is what torch finds in the CPU itself."""
    if (flags := cpu_flags()) is None:
        pytest.skip("the system does not list the CPU's features here")
    assert ("avx512_bf16" in flags) == torch.cpu._is_avx512_bf16_supported()
    assert ("amx_tile" in flags) == torch.cpu._is_amx_tile_supported()


@pytest.mark.parametrize(
    ("listed", "format"),
    [("flags\t\t: fpu avx512f avx512_bf16\n", "bfloat16"), ("Features\t: fp asimd bf16\n", "float32")],
)
def test_a_list_of_features_is_read(tmp_path, monkeypatch, listed, format):
    """Only whole names count, and only those of x86: torch takes no other for native."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: avx512_bf16\n{listed}")
    monkeypatch.setattr(device, "CPUINFO", tmp_path / "cpuinfo")
    fast_dtype.cache_clear()
    assert fast_dtype("cpu") == format
    fast_dtype.cache_clear()


def test_where_no_features_are_listed_torch_is_asked(tmp_path, monkeypatch):
    """As on Windows."""
    before = fast_dtype("cpu")
    monkeypatch.setattr(device, "CPUINFO", tmp_path / "none")
    fast_dtype.cache_clear()
    assert cpu_flags() is None
    assert fast_dtype("cpu") == before


def test_threads_are_given_back():
    """The number of threads torch uses is what it was, also after an error."""
    before = torch.get_num_threads()
    with one_thread_each() as wide:
        assert (wide, torch.get_num_threads()) == (before, 1)
    with contextlib.suppress(KeyError), one_thread_each():
        raise KeyError
    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_said():
    """Asking for CUDA where torch sees none is a usage problem, not a fall back to the CPU."""
    with pytest.raises(UsageProblem, match="sees no CUDA device"):
        chosen_device("cuda")
    assert chosen_device("auto") == torch.device("cpu")


def test_number_formats_by_name_and_by_device():
    """A name is what it says, nothing is float32 on a CPU, and what nobody knows is refused with those that are."""
    cpu = torch.device("cpu")
    assert chosen_dtype(None, cpu) == torch.float32
    assert [chosen_dtype(name, cpu) for name in ("bfloat16", "float16")] == [torch.bfloat16, torch.float16]
    with pytest.raises(UsageProblem, match=r"unknown dtype 'float8'.*float32, bfloat16, float16"):
        chosen_dtype("float8", cpu)
