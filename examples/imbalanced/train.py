"""Train the naive way, on purpose: every person counts the same, and the loss has no word for who is rare.

Writes the splits under `data/` and `health.safetensors`. One thread and fixed seeds, so that the same machine
and versions write the same bytes again. About fifteen seconds.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from model import FEATURES, build
from safetensors.torch import save_file
from statsmodels.datasets import randhie
from torch import Tensor, nn

HERE = Path(__file__).parent
SEED = 0
EPOCHS = 60
BATCH = 256


def main() -> None:
    """Split, train, save, and say how well it went."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    splits = split()
    for name, (x, y) in splits.items():
        save_npz(HERE / "data" / f"{name}.npz", x=x, y=y)
    model = train(*map(torch.from_numpy, splits["train"]))
    save_file(model.state_dict(), HERE / "health.safetensors")
    tell(model, *map(torch.from_numpy, splits["test"]))


def split() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Half of the people to test, half to training; x float32 (n, 7), y int64 (n,), 1 = poor health.

    A person is in the survey once a year, and everything but the visits stays the same over the years. Rows that
    agree in the rest may be one person, so they go to the same side: the test must not know anyone.
    """
    rows = randhie.load_pandas().data
    x = rows[list(FEATURES)].to_numpy(np.float32)
    y = rows["hlthp"].to_numpy(np.int64)
    _, person = np.unique(x[:, 1:], axis=0, return_inverse=True)
    people = np.random.default_rng(SEED).permutation(person.max() + 1)
    tested = np.isin(person, people[: len(people) // 2])
    return {"train": (x[~tested], y[~tested]), "test": (x[tested], y[tested])}


def train(x: Tensor, y: Tensor) -> nn.Module:
    """Plain cross-entropy, plain Adam."""
    model = build()
    model.mean.copy_(x.mean(0))
    model.std.copy_(x.std(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def tell(model: nn.Module, x: Tensor, y: Tensor) -> None:
    """Print what the accuracy says, and what it leaves out."""
    called = model(x).argmax(1)
    print(f"accuracy {(called == y).float().mean():.2%}; always saying 'fair or better' {(y == 0).float().mean():.2%}")
    print(f"in poor health {y.sum()}; found {(called & y).sum()}; false alarms {(called & (1 - y)).sum()}")


def save_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write like `np.savez_compressed`, but with a fixed time stamp: the same arrays give the same bytes."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
