"""Pruning of torch modules: what is zero stays zero, what is gone is gone, and the reopened model is the pruned one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deployspec.errors import SourceFault
from deployspec.ir.artifact import Job
from deployspec.ir.model import Input, Model, Output
from deployspec.passes import prune_torch
from deployspec.sources.torch_module import open_module

if TYPE_CHECKING:
    from pathlib import Path

NETS = '''
import copy
import random

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Residual(nn.Module):
    """A skip, a depthwise and a grouped norm in the middle; two heads, one after a flatten."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16))
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.flat = nn.Linear(16 * 16, 5)
        self.mean = nn.Linear(16, 2)

    def forward(self, image):
        x = torch.relu(self.stem(image))
        x = self.depthwise(x + self.block(x))
        return self.flat(x.flatten(1)).softmax(-1), self.mean(x.mean((2, 3)))


class Features(nn.Module):
    """A layer's own channels are an output, and the next one reads them."""

    def __init__(self):
        super().__init__()
        self.shown, self.hidden, self.head = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 12, 1), nn.Linear(12, 5)

    def forward(self, image):
        shown = self.shown(image)
        return self.head(self.hidden(torch.relu(shown)).mean((2, 3))), shown


class Attention(nn.Module):
    """Tokens, self-attention, and a head that shares the embedding's weight."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.head = nn.Linear(32, 20)
        self.head.weight = self.words.weight

    def forward(self, tokens):
        return self.head(self.layer(self.words(tokens)).mean(1))


class Norms(nn.Module):
    """BatchNorm with statistics, transposed convolution, a frozen layer."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.out = nn.Conv2d(6, 2, 1)
        self.down[0].weight.requires_grad_(False)

    def forward(self, image):
        return self.out(torch.relu(self.up(self.down(image))))


def frozen():
    return perceptron().requires_grad_(False)


def perceptron():
    return nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))


def linear():
    return nn.Linear(4, 3)


def silent():
    return nn.Identity()


def finetune(model, train):
    (x,), y = train
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    model.train()
    for _ in range(30):
        rows = torch.randperm(len(y))[: random.randint(20, 30)]
        loss = cross_entropy(model(torch.from_numpy(x)[rows]), torch.from_numpy(y)[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def zeros(model):
    return sum(int((layer.weight == 0).sum()) for layer in model if isinstance(layer, nn.Linear))


def on_a_copy(model, train):
    """As trainers do that keep the best of several; the zeros are there at every step."""
    tuned = finetune(copy.deepcopy(model), train)
    assert zeros(tuned) == zeros(model) == 372
    return tuned


def fill(model, train):
    """Whatever was pruned has a value again, in a module without masks."""
    fresh = perceptron()
    with torch.no_grad():
        for each in fresh.parameters():
            each.fill_(1.0)
    return fresh


def noise(model, train):
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.from_numpy(np.random.standard_normal(each.shape)).float())
    return model


def shaken(model, train):
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(torch.rand_like(each) + 0.5)
    return model


def alone(model, train):
    assert torch.get_num_threads() == 1
    return model


def widened(model, train):
    return nn.Sequential(nn.Linear(4, 25), nn.ReLU(), nn.Linear(25, 24), nn.ReLU(), nn.Linear(24, 3))


def rebuilt(model, train):
    """The same weights, another function."""
    return nn.Sequential(model[0], nn.Sigmoid(), model[2], nn.Sigmoid(), model[4])


def forgetful(model, train):
    finetune(model, train)


def broken(model, train):
    raise ValueError("no rate")


def a_number(model, train):
    return 3


def seen(model, train):
    inputs, y = train
    assert train.inputs is inputs and train.y is y
    assert [(each.shape, str(each.dtype)) for each in inputs] == [((60, 4), "float32")]
    inputs[0][:] = 0  # the split on disk stays as it is
    return model


def still_frozen(model, train):
    assert not any(each.requires_grad for each in model.parameters())
    return model


def unlabelled(model, train):
    assert train.y is None
    return model
'''

IMAGE = Input(name="image", shape=("batch", 3, 4, 4))
TOKENS = Input(name="tokens", shape=("batch", 6), dtype="int64")
ROW = Input(name="row", shape=("batch", 4))
ENDS = {
    "Residual": (IMAGE, 2), "Features": (IMAGE, 2), "Norms": (IMAGE, 1), "Attention": (TOKENS, 1),
    "perceptron": (ROW, 1), "frozen": (ROW, 1), "linear": (ROW, 1), "silent": (ROW, 1),
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """A folder with the nets and a training split."""

    folder: Path

    def job(self, net: str, out: str = "out", hook: str | None = None, sparsity: float = 0.5) -> Job:
        taken, outputs = ENDS[net]
        (self.folder / out).mkdir()
        return Job(
            inputs={"model": self.folder, "train": self.folder / "train", "finetune": self.folder},
            out=self.folder / out,
            options={"sparsity": sparsity, "finetune": hook and f"nets.py:{hook}"},
            model=Model(
                name="net",
                source=f"nets.py:{net}",
                inputs=(taken,),
                outputs=tuple(Output(name=f"y{i}") for i in range(outputs)),
            ),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "train").mkdir()
    x = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.save(tmp_path / "train" / "0.npy", x)
    np.save(tmp_path / "train" / "y.npy", x[:, :3].argmax(1))
    return Bench(tmp_path)


def reopened(job: Job) -> Any:
    """What a lowering that follows the pass opens."""
    return open_module(replace(job, inputs={"model": job.inputs["model"], "input": job.out}))


def weights(job: Job) -> dict[str, Any]:
    return dict(load_file(job.out / "pruned.safetensors"))


def zeros(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value == 0 for name, value in state.items() if name.endswith("weight") and value.dim() > 1}


@pytest.mark.parametrize("net", ["Residual", "Features", "Norms", "perceptron", "linear"])
@pytest.mark.parametrize("sparsity", [0.3, 0.8])
def test_the_smallest_weights_of_all_layers_together_are_zero(bench: Bench, net: str, sparsity: float) -> None:
    job = bench.job(net, sparsity=sparsity)
    before = {name: value.detach().abs() for name, value in open_module(job).named_parameters()}
    facts = prune_torch.magnitude(job)
    found = zeros(weights(job))
    pruned = torch.cat([before[name][zero] for name, zero in found.items()])
    kept = torch.cat([before[name][~zero] for name, zero in found.items()])
    assert pruned.max() <= kept.min()
    assert facts["zeros"] == len(pruned) == round(sparsity * facts["weights"])
    assert facts["weights"] == len(pruned) + len(kept)


def test_what_is_said_of_it(bench: Bench) -> None:
    assert prune_torch.magnitude(bench.job("perceptron"))["remarks"] == ["sparsity 50.0 % of 744 weights"]
    facts = prune_torch.structured(bench.job("perceptron", "other", "finetune"))
    assert facts["channels"] == [48, 24]
    assert facts["parameters"] == [795, 255]
    assert facts["remarks"] == ["channels 48 → 24, parameters 795 → 255, finetuned by nets.py:finetune"]


@pytest.mark.parametrize("hook", ["finetune", "on_a_copy"])
def test_zeros_stay_zero_while_the_others_train(bench: Bench, hook: str) -> None:
    plain, tuned = bench.job("perceptron", "plain"), bench.job("perceptron", "tuned", hook)
    prune_torch.magnitude(plain)
    facts = prune_torch.magnitude(tuned)
    assert facts["zeros"] * 2 == facts["weights"]
    before, after = weights(plain), weights(tuned)
    for name, zero in zeros(before).items():
        assert torch.equal(zero, after[name] == 0)
    assert not torch.allclose(before["0.weight"], after["0.weight"])


def test_a_module_without_masks_is_masked_again(bench: Bench) -> None:
    plain, filled = bench.job("perceptron", "plain"), bench.job("perceptron", "filled", "fill")
    prune_torch.magnitude(plain)
    prune_torch.magnitude(filled)
    after = weights(filled)
    for name, zero in zeros(weights(plain)).items():
        assert torch.equal(after[name], (~zero).float())


@pytest.mark.parametrize("method", ["magnitude", "structured"])
@pytest.mark.parametrize("hook", ["finetune", "noise", "shaken"])
def test_the_same_seed_gives_the_same_bytes(bench: Bench, method: str, hook: str) -> None:
    jobs = [bench.job("perceptron", out, hook) for out in ("one", "two")]
    for job in (*jobs, replace(bench.job("perceptron", "other", hook), seed=1)):
        getattr(prune_torch, method)(job)
    one, two, other = ((bench.folder / out / "pruned.safetensors").read_bytes() for out in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_finetuning_has_one_thread_and_leaves_their_number_as_it_was(bench: Bench) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        prune_torch.magnitude(bench.job("perceptron", hook="alone"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("net", ["Residual", "Features", "Norms", "Attention", "perceptron", "frozen"])
def test_channels_are_taken_out_and_the_outputs_stay(bench: Bench, net: str) -> None:
    job = bench.job(net)
    whole = open_module(job)
    before, after = prune_torch.structured(job)["parameters"]
    assert after < 0.8 * before
    assert sum(each.numel() for each in reopened(job).parameters()) == after
    example = torch.zeros(1, *ENDS[net][0].shape[1:], dtype=torch.int64 if net == "Attention" else None)
    given, got = whole(example), reopened(job)(example)
    for one, other in zip(*((each if isinstance(each, tuple) else (each,)) for each in (given, got)), strict=True):
        assert one.shape == other.shape


def test_the_reopened_layers_know_their_sizes(bench: Bench) -> None:
    job = bench.job("Residual")
    prune_torch.structured(job)
    net = reopened(job)
    assert (net.stem.out_channels, net.depthwise.groups, net.block[1].num_channels) == (8, 8, 8)
    assert not net.training
    assert json.loads((job.out / "pruned.json").read_text())["mean"] == {"in_features": 8}


def test_what_was_tied_or_frozen_still_is(bench: Bench) -> None:
    tied, frozen = bench.job("Attention", "tied"), bench.job("Norms", "frozen")
    prune_torch.structured(tied)
    prune_torch.structured(frozen)
    net = reopened(tied)
    assert net.head.weight is net.words.weight
    assert [name for name, each in reopened(frozen).named_parameters() if not each.requires_grad] == ["down.0.weight"]


@pytest.mark.parametrize("net", ["linear", "silent"])
def test_a_model_with_no_inner_channel_is_refused(bench: Bench, net: str) -> None:
    with pytest.raises(SourceFault, match='finds no channel that it could take out: use method = "magnitude"'):
        prune_torch.structured(bench.job(net))


def test_a_model_with_no_kernel_is_refused(bench: Bench) -> None:
    with pytest.raises(SourceFault, match="no convolution and no linear layer"):
        prune_torch.magnitude(bench.job("silent"))


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("widened", r"does not fit the pruned one: '0.bias' was \[24\] and is \[25\]"),
        ("rebuilt", "what nets.py:rebuilt returned is not the spec's model with other weights: .* differs by"),
        ("forgetful", "nets.py:forgetful returned None: return the model"),
        ("broken", r"nets.py:broken failed: nets.py:\d+ in broken: ValueError: no rate"),
        ("a_number", "returned an int, which is no torch.nn.Module"),
    ],
)
def test_a_hook_that_does_otherwise_is_told_so(bench: Bench, hook: str, reason: str) -> None:
    with pytest.raises(SourceFault, match=reason):
        prune_torch.magnitude(bench.job("perceptron", hook=hook))


def test_after_structured_pruning_the_shapes_are_the_pruned_ones(bench: Bench) -> None:
    with pytest.raises(SourceFault, match=r"'0.bias' was \[12\] and is \[25\]"):
        prune_torch.structured(bench.job("perceptron", hook="widened"))


def test_the_hook_sees_the_training_split_and_may_write_to_its_copy(bench: Bench) -> None:
    before = (bench.folder / "train" / "0.npy").read_bytes()
    prune_torch.magnitude(bench.job("perceptron", hook="seen"))
    assert (bench.folder / "train" / "0.npy").read_bytes() == before
    (bench.folder / "train" / "y.npy").unlink()
    prune_torch.magnitude(bench.job("perceptron", "other", "unlabelled"))


def test_what_is_frozen_stays_so_for_the_hook(bench: Bench) -> None:
    assert prune_torch.structured(bench.job("frozen", hook="still_frozen"))["channels"] == [48, 24]


def test_another_models_weights_do_not_open(bench: Bench) -> None:
    job = bench.job("perceptron")
    prune_torch.structured(job)
    other = replace(job, model=replace(job.model, source="nets.py:linear"))
    with pytest.raises(SourceFault, match="do not fit the model"):
        reopened(other)


@pytest.mark.parametrize("net", ["Attention", "Norms", "Residual"])
@pytest.mark.parametrize("method", ["magnitude", "structured"])
def test_any_net_can_be_trained_on(bench: Bench, net: str, method: str) -> None:
    plain, tuned = bench.job(net, "plain"), bench.job(net, "tuned", "shaken")
    getattr(prune_torch, method)(plain)
    getattr(prune_torch, method)(tuned)
    before, after = weights(plain), weights(tuned)
    for name, zero in zeros(before).items():
        assert (after[name][zero] == 0).all()
        assert not torch.equal(before[name], after[name])
