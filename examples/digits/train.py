"""Make everything that `specs/digits.toml` reads: the splits under `data/` and the trained `digits.safetensors`.

One thread and fixed seeds, so that the same machine and versions write the same bytes again. About ten seconds.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from digits import build
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn

HERE = Path(__file__).parent
SEED = 0
EPOCHS = 60
BATCH = 32
CALIBRATION = 200  # samples; the test split takes half of all, training the rest


def main() -> None:
    """Split, train, save, and say how well it went."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    splits = split()
    for name, (x, y) in splits.items():
        save_npz(HERE / "data" / f"{name}.npz", x=x, y=y)
    model = train(*tensors(*splits["train"]))
    save_file(model.state_dict(), HERE / "digits.safetensors")
    x, y = tensors(*splits["test"])
    correct = int((model(x).argmax(1) == y).sum())
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters; test accuracy {correct} of {len(y)} = {correct / len(y):.2%}")


def split() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Shuffle the 1,797 digits: half for test, 200 for calibration, the rest for training.

    Each is x, uint8 (n, 8, 8, 1) in 0..16 as scikit-learn ships it, and y, int64 (n,).
    """
    digits = load_digits()
    x, y = digits.images.astype(np.uint8)[..., np.newaxis], digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(y))
    test, calibration, training = np.split(order, [len(y) // 2, len(y) // 2 + CALIBRATION])
    parts = {"train": training, "calibration": calibration, "test": test}
    return {name: (x[rows], y[rows]) for name, rows in parts.items()}


def train(x: Tensor, y: Tensor) -> nn.Module:
    """Train with Adam and a cosine schedule; shift each batch by up to a pixel, as handwriting would."""
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):
            loss = nn.functional.cross_entropy(model(shift(x[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def shift(images: Tensor) -> Tensor:
    """Move a batch by -1, 0 or 1 pixel each way; what enters at the edge is background."""
    down, right = (int(torch.randint(0, 3, ())) for _ in range(2))
    padded = nn.functional.pad(images, (1, 1, 1, 1), value=-1.0)
    return padded[:, :, down : down + 8, right : right + 8]


def tensors(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    """What the spec's `preprocess` does: uint8 0..16, channels last, to float32 -1..1, channels first."""
    scaled = (x.astype(np.float32) * 0.0625 - 0.5) / 0.5
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy()), torch.from_numpy(y)


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
