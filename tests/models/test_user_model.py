"""A user's own model: any function, class or object that maps AnnData to rows, found by name."""

from __future__ import annotations

import sys
import uuid

import numpy as np
import pytest

from zsgate.errors import UsageProblem
from zsgate.models import load
from zsgate.models.embedding import check_rows

SOURCE = """
import functools

import numpy as np
import pandas as pd

from zsgate.models.adapter import ModelInfo


def function(adata):
    return adata.X[:, :3].toarray()


def frame(adata):
    return pd.DataFrame(function(adata), index=adata.obs_names).iloc[::-1]


def other_frame(adata):
    return pd.DataFrame(function(adata))


partial = functools.partial(lambda scale, adata: scale * function(adata), 2)


class Callable:
    def __call__(self, adata):
        return function(adata)


class Device:
    name = "on a device"
    stochastic = True
    independent_cells = False
    fingerprint = "v1"

    def __init__(self, device, weights="none"):
        self.device = device

    def embed(self, adata):
        return function(adata)

    def random_init(self, seed):
        twin = Device(self.device)
        twin.embed = lambda adata: np.random.default_rng(seed).normal(size=(adata.n_obs, 3))
        return twin


instance = Device("cpu")


class Carded(Callable):
    info = ModelInfo(name="carded", dimensions=3, citation="somebody")


class Numbered(Callable):
    fingerprint = 3


class Needy:
    def __init__(self, weights):
        pass


class Broken:
    def __init__(self):
        raise RuntimeError("no weights\\nin this folder")


class Mute:
    pass


class Namespace:
    inner = Callable


number = 3
"""


@pytest.fixture
def module(tmp_path):
    """Return the name of a fresh module with the models, in a folder that is not on the path."""
    name = f"models_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    path = sys.path.copy()
    yield name
    sys.path[:] = path
    sys.modules.pop(name, None)


@pytest.fixture
def get(module, tmp_path):
    """Return what loads an attribute of that module."""
    return lambda attribute, **rest: load(f"{module}:{attribute}", folder=tmp_path, **rest)


@pytest.mark.parametrize("attribute", ["function", "Callable", "Device", "instance", "Carded", "Namespace.inner"])
def test_whatever_maps_anndata_to_rows_is_a_model(get, few_cells, attribute):
    """Functions, classes whose instances are called or embed, objects, attributes of attributes."""
    np.testing.assert_array_equal(get(attribute).embed(few_cells), few_cells.counts[:, :3].toarray())


def test_a_partial_is_a_model_too(get, few_cells):
    """Anything that can be called is called."""
    np.testing.assert_array_equal(get("partial").embed(few_cells), 2 * few_cells.counts[:, :3].toarray())


@pytest.mark.parametrize("attribute", ["frame", "other_frame"])
def test_a_data_frame_is_aligned_by_its_index(get, few_cells, attribute):
    """Rows named after the cells are put in their order; an index of something else is ignored."""
    rows = check_rows(get(attribute).embed(few_cells), source="m", n_cells=few_cells.n_cells)
    np.testing.assert_array_equal(rows, few_cells.counts[:, :3].toarray())


def test_the_model_sees_no_labels(get, module, few_cells):
    """The AnnData a model gets has counts and genes, and batches where it says that it needs them."""
    seen = []
    adapter = get("function")
    adapter.model = lambda adata: seen.append(adata) or adata.X[:, :3].toarray()
    adapter.embed(few_cells)
    assert seen[0].obs.columns.tolist() == []


def test_a_class_is_given_the_device_it_takes(get):
    """A class with a device parameter gets it, one without is made with nothing."""
    assert get("Device", device="cuda").model.device == "cuda"
    assert type(get("Callable", device="cuda").model).__name__ == "Callable"


def test_a_bare_model_gets_a_bare_card(get, module):
    """The name is the attribute's, cells are independent, nothing is kept between runs, and there is no twin."""
    adapter = get("function")
    assert (adapter.info.name, adapter.info.notes) == ("function", (f"imported from {module}:function",))
    assert (adapter.info.independent_cells, adapter.info.stochastic) == (True, False)
    assert adapter.fingerprint is None
    assert not hasattr(adapter, "random_init")


def test_a_model_may_say_more_of_itself(get, module):
    """Name, independence, chance, fingerprint or a whole card are taken from the object."""
    adapter = get("Device")
    assert (adapter.info.name, adapter.info.independent_cells, adapter.info.stochastic) == ("on a device", False, True)
    assert adapter.fingerprint.startswith(f"{module}:Device:cpu:v1:")
    assert get("Device", device="cuda").fingerprint != adapter.fingerprint
    assert (get("Carded").info.citation, get("Carded").info.dimensions) == ("somebody", 3)
    assert get("Carded").fingerprint is None


def test_a_twin_is_the_object_s_own(get, few_cells):
    """random_init(seed) is offered where the object offers it, and its twin is embedded the same way."""
    adapter = get("Device")
    one, same, other = (adapter.random_init(seed).embed(few_cells) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    prints = {each.fingerprint for each in (adapter, adapter.random_init(0), adapter.random_init(1))}
    assert prints == {adapter.fingerprint, f"{adapter.fingerprint}:random0", f"{adapter.fingerprint}:random1"}


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        ("absent", "cannot import it (AttributeError: "),
        ("Devise", "did you mean '{module}:Device'?"),
        ("Namespase.inner", "did you mean '{module}:Namespace'?"),
        ("Needy", "cannot make one (TypeError: Needy.__init__() missing 1 required positional argument: 'weights'"),
        ("Broken", "cannot make one (RuntimeError: no weights in this folder, models_"),
        ("Mute", "an object of type Mute neither can be called nor has embed(adata)"),
        ("Numbered", "its fingerprint must be a string, or None to keep nothing, not 3"),
        ("number", "an object of type int neither can be called nor has embed(adata)"),
        ("not a name", "cannot import it (ValueError: "),
        ("", "an object of type module neither can be called nor has embed(adata)"),
    ],
)
def test_what_is_no_model_is_refused(get, module, attribute, says):
    """One line that names what was asked for and why it cannot be had."""
    with pytest.raises(UsageProblem) as refused:
        get(attribute)
    assert str(refused.value).startswith(f"--model {module}:{attribute}: ")
    assert says.replace("{module}", module) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package', models_"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero, models_"),
        ("import sys\n\nsys.exit(0)", "SystemExit: 0, models_"),
    ],
)
def test_a_module_that_fails_is_refused(tmp_path, module, source, says):
    """An error inside the user's module is told with its place, in one line."""
    (tmp_path / f"{module}.py").write_text(source)
    with pytest.raises(UsageProblem, match="cannot import it") as refused:
        load(f"{module}:f", folder=tmp_path)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_package_is_refused(tmp_path):
    """The sentence asks whether the package is installed."""
    with pytest.raises(UsageProblem, match=r"ModuleNotFoundError: No module named 'no_such'\); is the package"):
        load("no_such.mod:Model", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("celama", "unknown model 'celama'; did you mean 'cellama'?"),
        ("embeddings/mine", "--model embeddings/mine: no such file or folder"),
        ("mine.npz", "--model mine.npz: no such file or folder"),
        (
            "my_pkg/gate.py:Mine",
            "--model my_pkg/gate.py:Mine: no such file or folder; a module is named my_pkg.gate:Mine",
        ),
        ("mine.h5ad#X_mine", "--model mine.h5ad#X_mine: no such file or folder"),
        ("~nobody_of_this_name/mine.npz", "~nobody_of_this_name/mine.npz: there is no such home folder"),
    ],
)
def test_names_of_nothing_are_refused(tmp_path, name, says):
    """A name that is neither packaged nor importable nor a path: the nearest name, or that the file is not there."""
    with pytest.raises(UsageProblem) as refused:
        load(name, folder=tmp_path)
    assert str(refused.value).startswith(says)


def test_settings_are_for_packaged_models(get, tmp_path):
    """Weights or a dtype given to a user's own model are refused, and so is a setting a packaged one does not take."""
    with pytest.raises(UsageProblem, match="weights is for the packaged models"):
        get("function", weights=tmp_path)
    with pytest.raises(UsageProblem, match="cellama: unknown setting 'preset'"):
        load("cellama", preset="paper")
