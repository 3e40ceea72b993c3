"""What ``benchmarks.gpu`` times: each part returns what came out, in words."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

PEAK = 790e12  # dense bf16 FLOP/s of one H200
MINILM = (384, 12, 1536, 6, 512, 30_522, 2, 1e-12)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes
    ----------
    device
        Where to compute.
    small
        Whether at tiny sizes.
    end
        When all must be done, by ``time.monotonic``.
    """

    device: torch.device
    small: bool
    end: float

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.end - time.monotonic()

    def size(self, full: int, small: int) -> int:
        """Return a size."""
        return small if self.small else full


def bar(value: float, limit: float, *, most: bool) -> str:
    """Return whether a value is at most, or at least, a limit."""
    met = value <= limit if most else value >= limit
    return f"goal {limit:,g} {'met' if met else 'NOT met'}"


def timed(asked: Asked, function: Callable[[], object]) -> float:
    """Return how many seconds a call takes on the clock, the device's work included."""
    if asked.device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    function()
    if asked.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def made_rows(n_cells: int, d: int, device: torch.device) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of 60 types and 24 donors, and the first rows of their groups and of the types."""
    generator = torch.Generator(device).manual_seed(0)
    types = torch.arange(n_cells, device=device) * 60 // n_cells
    centres = torch.randn((60, d), generator=generator, device=device)
    rows = torch.randn((n_cells, d), generator=generator, device=device) + centres[types]
    key = types * 24 + torch.arange(n_cells, device=device) % (n_cells // 60) * 24 // (n_cells // 60)
    firsts = [np.unique(np.sort(each.cpu().numpy()), return_index=True)[1] for each in (key, types)]
    return rows.cpu().numpy(), firsts[0], firsts[1]


def distances(n_cells: int, d: int, goal: float | None) -> Callable[[Asked], str]:
    """Return what times the pass over all pairs, to group sums and certain neighbours on the host."""

    def measure(asked: Asked) -> str:
        from zsgate.metrics.neighbours.on_torch.blocks import blocks

        rows, groups, borders = made_rows(asked.size(n_cells, 3_000), asked.size(d, min(d, 64)), asked.device)
        warm = made_rows(3_000, 32, asked.device)

        def run(given: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
            for _ in blocks(*given, n_nearest=14, device=asked.device):
                pass

        run(warm)
        seconds = timed(asked, lambda: run((rows, groups, borders)))
        rate = 2 * len(rows) ** 2 * rows.shape[1] / seconds / 1e12
        said = (
            f"{seconds:.2f} s for {len(rows):,} x {rows.shape[1]}, {len(groups):,} groups ({rate:.1f} TFLOP/s in all)"
        )
        return f"{said}, {bar(seconds, goal, most=True)}" if goal and not asked.small else said

    return measure


def search(n_cells: int, d: int) -> Callable[[Asked], str]:
    """Return what times the search for 120 neighbours of other donors, as ``knn_mixing`` asks for, in float64."""

    def measure(asked: Asked) -> str:
        from zsgate.metrics.neighbours.float64 import Factors
        from zsgate.metrics.neighbours.on_torch.search import Search

        rows, _, _ = made_rows(asked.size(n_cells, 3_000), asked.size(d, min(d, 64)), asked.device)
        cells, donors = np.arange(len(rows)), np.arange(len(rows)) % 24
        factors, everybody = Factors.of(rows), np.ones(len(rows), dtype=bool)

        def run(n_searched: int) -> None:
            Search(factors, donors, asked.device).nearest(cells[:n_searched], everybody, 120)

        run(100)
        seconds = timed(asked, lambda: run(len(rows)))
        rate = 2 * len(rows) ** 2 * rows.shape[1] / seconds / 1e12
        return f"{seconds:.2f} s for {len(rows):,} x {rows.shape[1]} ({rate:.1f} TFLOP/s in all)"

    return measure


def rate(asked: Asked, n_cells: int, length: int, run: Callable[[object], Iterator[object]]) -> float:
    """Return how many cells of ``length`` drawn tokens a network embeds a second."""
    from zsgate.models.transformer.tokens import Tokens

    rng = np.random.default_rng(0)
    n = n_cells * length
    ids, bins = rng.integers(4, 20_000, n, dtype=np.int32), rng.integers(0, 51, n, dtype=np.int8)
    tokens = Tokens(np.arange(n_cells + 1) * length, ids, np.zeros(n, np.int32), bins)
    times = [timed(asked, lambda: [None for _ in run(tokens)]) for _ in range(2)]  # kernels prepare in the first
    return n_cells / times[1]


def scgpt(asked: Asked) -> str:
    """Time scgpt_human's network on cells of 1,200 tokens, in bfloat16."""
    from benchmarks.checkpoints import SCGPT, SCGPT_TOKENS
    from zsgate.models.families.scgpt.network import ScGPTNetwork
    from zsgate.models.families.scgpt.untrained import random_state
    from zsgate.models.transformer.runner import Runner

    network = ScGPTNetwork.of(random_state(SCGPT, SCGPT_TOKENS, 0), SCGPT).to(asked.device, torch.bfloat16)
    runner, length = Runner(asked.device), asked.size(1200, 60)
    found = rate(
        asked,
        asked.size(8192, 4),
        length,
        lambda t: runner(t, lambda b: (network.cells(b.ids, b.bins, b.runs).float(),)),
    )
    return embedded(asked, found, (12, length, 512, 512), 4_000)


def geneformer(asked: Asked) -> str:
    """Time geneformer_v1_10m's network on cells of 2,048 tokens, in bfloat16."""
    from benchmarks.checkpoints import GENEFORMER
    from zsgate.models.families.geneformer.network import GeneformerNetwork, random_state
    from zsgate.models.transformer.runner import Runner

    network = GeneformerNetwork.of(random_state(GENEFORMER, 0), GENEFORMER).to(asked.device, torch.bfloat16)
    runner, length = Runner(asked.device), asked.size(2048, 60)
    found = rate(
        asked, asked.size(8192, 4), length, lambda t: runner(t, lambda b: (network.means(b.ids, b.runs, 0).float(),))
    )
    return embedded(asked, found, (5, length, 256, 512), 10_000)


def cellama(asked: Asked) -> str:
    """Time an untrained twin of CELLama on cells of 256 tokens."""
    from zsgate.models.families.cellama.adapter import CPU_BUDGET, GPU_BUDGET
    from zsgate.models.families.cellama.network import CELLamaNetwork
    from zsgate.models.transformer.bert import BertShape, bert_shapes, draw_state
    from zsgate.models.transformer.runner import Runner

    shape = BertShape(*MINILM)
    network = CELLamaNetwork.of(draw_state(bert_shapes(shape), 0), shape).to(asked.device, torch.bfloat16)
    runner = Runner(asked.device, CPU_BUDGET if asked.device.type == "cpu" else GPU_BUDGET, alike=True)
    length = asked.size(256, 60)
    found = rate(asked, asked.size(16384, 4), length, lambda t: runner(t, lambda b: (network.means(b.ids, b.runs),)))
    return embedded(asked, found, (6, length, 384, 1536), None)


def embedded(asked: Asked, found: float, shape: tuple[int, int, int, int], goal: float | None) -> str:
    """Return a rate in words: FLOP of a token and layer are 8 d² + 4 d f + 4 L d."""
    layers, length, d, wide = shape
    share = found * layers * length * (8 * d * d + 4 * d * wide + 4 * length * d) / PEAK
    said = f"{found:,.1f} cells/s at {length:,} tokens in bfloat16, {share:.1%} of {PEAK / 1e12:.0f} TFLOP/s"
    return f"{said}, {bar(found, goal, most=False)}" if goal and not asked.small else said


def family(name: str) -> Callable[[Asked], str]:
    """Return what times a packaged checkpoint with random weights, counts to rows, on real cells."""

    def measure(asked: Asked) -> str:
        if importlib.util.find_spec("hormone2cell") is None:  # importing it would need scanpy
            raise ModuleNotFoundError(name="hormone2cell")

        from benchmarks.checkpoints import MAKERS
        from zsgate.models import load
        from zsgate.testing import some_cells

        cells = some_cells(asked.size(1_500, 4))
        with tempfile.TemporaryDirectory() as folder:
            weights = MAKERS[name](Path(folder) / name, None)
            model = load(name, weights=weights, device=asked.device.type)
            seconds = [timed(asked, lambda: model.embed(cells)) for _ in range(2)]
        kind = str(getattr(model, "dtype", torch.float32)).removeprefix("torch.")
        return f"{cells.n_cells / seconds[1]:,.1f} cells/s, counts to rows, {kind}; {seconds[0]:.1f} s the first time"

    return measure


def attention(asked: Asked) -> str:
    """Time flash-attn's packed attention against torch's, on 64 runs of 2,048 tokens."""
    from flash_attn import flash_attn_varlen_func
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.arange(65, device=asked.device, dtype=torch.int32) * 2048
    parts = torch.randn((3, 64 * 2048, 8, 64), device=asked.device, dtype=torch.bfloat16)
    both = (
        (lambda: flash_attn_varlen_func(*parts, ends, ends, 2048, 2048)),
        (lambda: varlen_attn(*parts, ends, ends, 2048, 2048)),
    )
    times = [min(timed(asked, call) for _ in range(10)) for call in both]
    return f"{1e3 * times[0]:.2f} ms, torch's varlen_attn {1e3 * times[1]:.2f} ms"


def scvi(asked: Asked) -> str:
    """Time scVI's steps on 20,000 cells x 2,000 genes, two batches."""
    import scipy.sparse as sp
    import scvi as _  # noqa: F401 - named first where it is missing

    from zsgate.baselines.scvi import training as scvi_training

    shape = asked.size(20_000, 256), asked.size(2_000, 50)
    counts = sp.random(*shape, 0.1, "csr", np.float32, np.random.default_rng(0), lambda n: np.ones(n, np.float32))
    batches, seconds = np.where(np.arange(shape[0]) % 2, "a", "b"), []
    usual = scvi_training.schedule
    scvi_training.schedule = lambda *given: {"max_epochs": 3}  # type: ignore[assignment]
    try:
        job = scvi_training.Job(counts, np.arange(shape[1]), batches, 0, "levels_off", asked.device.type)
        scvi_training.train(job, lambda: seconds.append(time.perf_counter()))
    finally:
        scvi_training.schedule = usual
    steps = -(-int(0.9 * shape[0]) // 128)
    return f"{1e3 * (seconds[-1] - seconds[0]) / 2 / steps:.2f} ms a step of 128 cells x {shape[1]:,} genes"
