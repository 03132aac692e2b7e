"""What is in a TorchScript or PyTorch Mobile file, read from its bytes: it follows from the net, and does no harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_files import MODELS, PICTURES, WAYS, WORDS, Lowered, lower, project

from deployspec.errors import UnreadableModel
from deployspec.formats import ptmobile, torchscript
from deployspec.ir.model import Input, Model, Output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.ir.structure import Structure

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantize_per_tensor"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

KERNELS = {"pictures": 16 * 3 * 9 + 32 * 16 * 9 + 64 * 512 + 5 * 64,
           "words": 50 * 64 + 128 * 70 + 128 * 128 + 3 * 128 + 1 * 128}  # fmt: skip
BIASES = {"pictures": 16 + 32 + 64 + 5, "words": 128 + 128 + 3 + 1}
MACS = {"pictures": 16 * 64 * 3 * 9 + 32 * 16 * 16 * 9 + 64 * 512 + 5 * 64,
        "words": 128 * 70 + 128 * 128 + 3 * 128 + 1 * 128}  # fmt: skip


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Lowered]:
    return partial(_make, {}, project(tmp_path_factory.mktemp("nets")), tmp_path_factory.mktemp("lowered"))


def _make(made: dict[str, Lowered], folder: Path, home: Path, model: Model, way: str) -> Lowered:
    key = f"{model.name}-{way}"
    if key not in made:
        made[key] = lower(folder, home / key, model, way)
    return made[key]


def inspect(path: Path, model: Model) -> Structure:
    return (ptmobile if path.suffix == ".ptl" else torchscript).inspect(path, model)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_its_weights_and_its_work_are_those_of_the_network(
    make: Callable[..., Lowered], model: Model, way: str
) -> None:
    structure = inspect(make(model, way).artifact, model)
    assert structure.kernel_elements == KERNELS[model.name]
    assert structure.parameters == KERNELS[model.name] + BIASES[model.name]
    assert (structure.macs, structure.macs_reason) == (MACS[model.name], "")
    assert [end.name for end in structure.inputs] == [each.name for each in model.inputs]
    assert [end.name for end in structure.outputs] == [each.name for each in model.outputs]


@pytest.mark.parametrize("way", WAYS)
def test_the_bytes_of_its_weights_are_told_by_type(make: Callable[..., Lowered], way: str) -> None:
    sizes = dict(inspect(make(WORDS, way).artifact, WORDS).weight_bytes)
    kernels, biases, table = KERNELS["words"], BIASES["words"], 50 * 64
    scheme = WAYS[way][1] or "float32"
    if scheme.startswith("int8"):  # looking up words stays in floating point
        assert sizes == {"int8": kernels - table, "float32": 4 * (biases + table)}
    else:
        assert sizes == {scheme: {"float32": 4, "float16": 2, "bfloat16": 2}[scheme] * (kernels + biases)}


def test_operators_are_named_as_the_format_names_them(make: Callable[..., Lowered]) -> None:
    assert dict(inspect(make(WORDS, "torchscript").artifact, WORDS).operators) == {
        "aten::linear": 4, "aten::relu": 2, "aten::cat": 1, "aten::embedding": 1, "aten::mean": 1,
    }  # fmt: skip
    assert dict(inspect(make(PICTURES, "ptmobile-int8").artifact, PICTURES).operators) == {
        "aten::quantize_per_tensor.tensor_qparams": 2, "quantized::conv2d_relu.new": 2, "aten::dequantize.self": 2,
        "aten::flatten.using_ints": 1, "quantized::linear_relu": 1, "quantized::linear": 1,
    }  # fmt: skip


HALVED = """\
import torch
from deployspec.testing import nets
def build():
    net = nets.pictures()
    with torch.no_grad():
        net.head[1].weight[:, ::2] = 0
        net.features[3].weight[:16] = 0
    return net
"""


@pytest.mark.parametrize("way", WAYS)
def test_zeros_of_the_kernels_are_counted(make: Callable[..., Lowered], tmp_path: Path, way: str) -> None:
    folder = project(tmp_path)
    (folder / "halved.py").write_text(HALVED)
    lowered = lower(folder, tmp_path / "out", PICTURES, way, source="halved.py:build")
    zeros, before = (inspect(path, PICTURES).kernel_zeros for path in (lowered.artifact, make(PICTURES, way).artifact))
    pruned = 64 * 256 + 16 * 16 * 9
    assert pruned <= zeros <= pruned + before + 2000 * ("int8" in way)
    assert before < 2000


def frozen(module: nn.Module, example: tuple[torch.Tensor, ...], path: Path) -> Path:
    traced = torch.jit.trace(module.eval(), example, check_trace=False)
    if path.suffix == ".ptl":
        torch.jit.freeze(traced)._save_for_lite_interpreter(str(path))
    else:
        torch.jit.save(torch.jit.freeze(traced), str(path))
    return path


def model_of(*shapes: tuple[int, ...], outputs: int = 1) -> Model:
    inputs = tuple(Input(name=f"in{i}", shape=("batch", *shape[1:])) for i, shape in enumerate(shapes))
    return replace(PICTURES, inputs=inputs, outputs=tuple(Output(name=f"out{i}") for i in range(outputs)))


class Decoder(nn.Module):
    """Convolutions of many kinds, upsampling, joining, sizes that follow from the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.AvgPool2d(2),
            nn.Conv2d(8, 12, 1), nn.PReLU(), nn.MaxPool2d(2, ceil_mode=True),
        )  # fmt: skip
        self.up = nn.Sequential(nn.ConvTranspose2d(12, 4, 4, 2, 1), nn.GroupNorm(2, 4), nn.Upsample(scale_factor=2))
        self.line = nn.Conv1d(4, 6, 5, padding="same")
        self.head = nn.Linear(6, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        up = self.up(self.down(image))
        one, other = up.chunk(2, dim=1)
        joined = torch.cat([one * torch.sigmoid(other), other], dim=1)
        line = self.line(joined.view(joined.size(0), joined.size(1), -1))
        return self.head(line.transpose(1, 2)).mean(dim=1)


class Reader(nn.Module):
    """Attention by hand over a sequence, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed, self.norm, self.out = nn.Linear(16, 48), nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, steps, width = x.shape
        parts = self.mixed(x).reshape(batch, steps, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        seen = torch.softmax(query @ key.transpose(-2, -1) / 8**0.5, -1) @ value
        return self.out(self.norm(x + seen.transpose(1, 2).flatten(2))[:, -1])


NETS = {"decoder": (Decoder, (1, 3, 33, 30)), "reader": (Reader, (1, 7, 16))}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("suffix", [".pt", ".ptl"])
def test_the_work_of_one_sample_is_half_of_what_torch_counts(tmp_path: Path, net: str, suffix: str) -> None:
    kind, shape = NETS[net]
    module, example = kind().eval(), torch.rand(shape)
    structure = inspect(frozen(module, (example,), tmp_path / f"net{suffix}"), model_of(shape))
    with FlopCounterMode(display=False) as counter:
        module(example)
    assert (structure.macs, structure.macs_reason) == (counter.get_total_flops() // 2, "")
    assert structure.parameters == sum(each.numel() for each in module.parameters())
    assert [end.name for end in (*structure.inputs, *structure.outputs)] == ["", ""]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True), nn.GRU(32, 12, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(self.lstm(x)[0])[0][:, -1]


@pytest.mark.parametrize("suffix", [".pt", ".ptl"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_recurrent_layers_multiply_at_each_step(tmp_path: Path, suffix: str, dynamic: bool) -> None:
    module: Any = Recurrent().eval()
    if dynamic:
        torch.backends.quantized.engine = "qnnpack"
        module = torch.ao.quantization.quantize_dynamic(module, {nn.LSTM, nn.GRU}, dtype=torch.qint8)
    structure = inspect(frozen(module, (torch.rand(1, 5, 8),), tmp_path / f"net{suffix}"), model_of((1, 5, 8)))
    assert structure.macs == 5 * (2 * 4 * 16 * (8 + 16 + 32 + 16) + 3 * 12 * (32 + 12))


class Unfolded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bi,bj->bij", x, x)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            return x * 2
        return x


class Looping(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.sum() > 0):
            x = x - 1
        return x


@pytest.mark.parametrize(
    ("module", "suffix", "said"),
    [
        (Unfolded(), ".pt", "aten::einsum has no rule here"),
        (Unfolded(), ".ptl", "aten::einsum has no rule here"),
        (torch.jit.script(Branching()), ".pt", "a branch of its code depends on the input"),
        (torch.jit.script(Branching()), ".ptl", "a branch of its bytecode depends on the input"),
        (torch.jit.script(Looping()), ".pt", "its code has a While, which is not followed"),
        (torch.jit.script(Looping()), ".ptl", "its bytecode has a LOOP, which is not followed"),
    ],
)
def test_work_that_cannot_be_told_is_said_with_its_reason(
    tmp_path: Path, module: nn.Module, suffix: str, said: str
) -> None:
    path = tmp_path / f"net{suffix}"
    whole = torch.jit.freeze(module.eval()) if isinstance(module, torch.jit.ScriptModule) else None
    if whole is None:
        frozen(module, (torch.rand(1, 4),), path)
    elif suffix == ".ptl":
        whole._save_for_lite_interpreter(str(path))
    else:
        torch.jit.save(whole, str(path))
    structure = inspect(path, model_of((1, 4)))
    assert (structure.macs, structure.macs_reason) == (None, said)


ALONE = """\
import sys
from pathlib import Path
from deployspec.formats import ptmobile, torchscript
from deployspec.ir.model import Input, Model
model = Model(name="n", source="n.py:n", inputs=(Input(name="x", shape=("batch", 3, 8, 8)),))
print(torchscript.inspect(Path(sys.argv[1]), model).macs, ptmobile.inspect(Path(sys.argv[2]), model).macs)
print(sorted({"torch", "pandas", "scipy"} & sys.modules.keys()))
"""


def test_reading_needs_no_torch(make: Callable[..., Lowered]) -> None:
    files = [str(make(PICTURES, way).artifact) for way in ("torchscript-int8", "ptmobile-int8")]
    ran = subprocess.run([sys.executable, "-c", ALONE, *files], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[:2] == [f"{MACS['pictures']} {MACS['pictures']}", "[]"]


# --- hostile files ---


@pytest.fixture(params=["torchscript", "ptmobile"])
def sound(make: Callable[..., Lowered], request: pytest.FixtureRequest) -> Path:
    return make(PICTURES, request.param).artifact


def rewritten(path: Path, to: Path, changes: dict[str, Callable[[bytes], bytes | None]], method: int = 0) -> Path:
    """The archive with some records changed, or left out where the change gives None."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to / path.name, "w", method) as written:
        for name in archive.namelist():
            change = changes.get(name.partition("/")[2], lambda old: old)
            content = change(archive.read(name))
            if content is not None:
                written.writestr(name, content)
    return to / path.name


def pickle_of(path: Path) -> str:
    return "bytecode.pkl" if path.suffix == ".ptl" else "constants.pkl"


def refused(path: Path) -> str:
    with pytest.raises(UnreadableModel) as fault:
        inspect(path, PICTURES)
    assert str(fault.value).startswith(f"{path.name}: ")
    return str(fault.value)


class Harm:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_calls_is_refused_and_calls_nothing(sound: Path, tmp_path: Path) -> None:
    harm = pickle.dumps((Harm(tmp_path / "harm"),), protocol=2)
    assert "which no TorchScript file does" in refused(rewritten(sound, tmp_path, {pickle_of(sound): lambda _: harm}))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("greedy", "said"),
    [
        (b"(tr\xff\xff\xff\x7f.", "it has the opcode LONG_BINPUT"),  # a place far out in the memo
        (b"\x96\xff\xff\xff\xff\x1f\0\0\0.", "in a bytearray8"),
        (b"X\xff\xff\xff\x7f.", "in a unicodestring4"),
    ],
)
def test_a_pickle_that_asks_for_gigabytes_is_refused_before_it_has_them(
    sound: Path, tmp_path: Path, greedy: bytes, said: str
) -> None:
    path = rewritten(sound, tmp_path, {pickle_of(sound): lambda _: b"\x80\x02" + greedy})
    assert said in refused(path)


GROWING = {
    "numbers": ("n = 7", "n = torch.mul(n, n)"),
    "lists": ("n = [7, 7]", "n = torch.add(n, n)"),
    "sizes": ("n = torch.flatten(image)", "n = torch.cat([n, n])"),
}


@pytest.mark.parametrize("what", GROWING)
def test_code_that_doubles_what_it_holds_ends_soon(make: Callable[..., Lowered], tmp_path: Path, what: str) -> None:
    first, again = GROWING[what]
    sound = make(PICTURES, "torchscript").artifact
    with zipfile.ZipFile(sound) as archive:
        name = next(name.partition("/")[2] for name in archive.namelist() if name.endswith(".py"))
    start = b"image: Tensor) -> Tensor:\n"
    lines = "".join(f"    {line}\n" for line in (first, *[again] * 100)).encode()
    path = rewritten(sound, tmp_path, {name: lambda old: old.replace(start, start + lines)})
    assert "is called in a way that is not known" in inspect(path, PICTURES).macs_reason


@pytest.mark.parametrize("kept", [0, 100, 20_000, -200])
def test_a_file_that_was_cut_is_refused(sound: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / sound.name
    path.write_bytes(sound.read_bytes()[:kept])
    assert "no whole archive of torch's" in refused(path)


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_a_pickle_with_a_changed_byte_is_read_or_refused(sound: Path, tmp_path: Path, at: int) -> None:
    def change(old: bytes) -> bytes:
        return old[:at] + bytes([old[at] ^ 0x15]) + old[at + 1 :]

    path = rewritten(sound, tmp_path, {pickle_of(sound): change})
    with suppress(UnreadableModel):
        inspect(path, PICTURES)


def bytecode(name: Any = "Net.forward", returned: Any = "Tensor", operator: int = 0) -> bytes:
    """relu, as PyTorch Mobile's bytecode has it."""
    ends = [(("name", each), ("type", "Tensor")) for each in ("self", "image")]
    tables = (
        ("instructions", (("MOVE", 2, 0), ("OP", operator, 0), ("RET", 0, 0))),
        ("operators", (("aten::relu", "", 1),)),
        ("constants", ()),
    )
    schema = (("arguments", tuple(ends)), ("returns", ((("type", returned),),)))
    return pickle.dumps((8, (name, tables, schema)), protocol=2)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (bytecode(name=7), "its bytecode has no function 'forward'"),
        (bytecode(returned=("Tuple",)), "'bytecode.pkl' is no bytecode of torch's"),
    ],
)
def test_bytecode_of_other_types_is_refused(
    make: Callable[..., Lowered], tmp_path: Path, code: bytes, said: str
) -> None:
    path = rewritten(make(PICTURES, "ptmobile").artifact, tmp_path, {"bytecode.pkl": lambda _: code})
    assert said in refused(path)


@pytest.mark.parametrize(("operator", "found"), [(0, (("aten::relu", 1),)), (1, ()), (-2, ())])
def test_bytecode_that_calls_what_it_does_not_name_is_read(
    make: Callable[..., Lowered], tmp_path: Path, operator: int, found: tuple[tuple[str, int], ...]
) -> None:
    code = bytecode(operator=operator)
    path = rewritten(make(PICTURES, "ptmobile").artifact, tmp_path, {"bytecode.pkl": lambda _: code})
    assert inspect(path, PICTURES).operators == found


def test_code_that_assigns_to_what_is_no_name_is_not_followed(make: Callable[..., Lowered], tmp_path: Path) -> None:
    sound = make(PICTURES, "torchscript").artifact
    with zipfile.ZipFile(sound) as archive:
        name = next(name.partition("/")[2] for name in archive.namelist() if name.endswith(".py"))
    start = b"image: Tensor) -> Tensor:\n"
    path = rewritten(sound, tmp_path, {name: lambda old: old.replace(start, start + b"    image.size = 7\n")})
    assert inspect(path, PICTURES).macs_reason == "its code has a Attribute, which is not followed"


def test_a_tensor_beyond_its_storage_is_refused(sound: Path, tmp_path: Path) -> None:
    """(64, 512) becomes (64, 32767)."""
    path = rewritten(sound, tmp_path, {pickle_of(sound): lambda old: old.replace(b"M\x00\x02", b"M\xff\x7f")})
    assert "reaches beyond" in refused(path)


@pytest.mark.parametrize("way", ["torchscript-int8", "ptmobile-int8"])
@pytest.mark.parametrize("axis", [1, 9])
def test_zero_points_that_do_not_lie_along_an_axis_are_refused(
    make: Callable[..., Lowered], tmp_path: Path, way: str, axis: int
) -> None:
    def change(old: bytes) -> bytes:
        assert old.count(b"K\x00t\x89") > 1
        return old.replace(b"K\x00t\x89", b"K%ct\x89" % axis)

    artifact = make(PICTURES, way).artifact
    path = rewritten(artifact, tmp_path, {pickle_of(artifact): change})
    assert "a per_channel_affine tensor has the zero point " in refused(path)


def test_a_storage_that_is_missing_or_short_is_refused(sound: Path, tmp_path: Path) -> None:
    record = "constants/4" + (".storage" if sound.suffix == ".ptl" else "")
    assert "is missing" in refused(rewritten(sound, tmp_path, {record: lambda _: None}))
    assert "is shorter than its 32768 elements" in refused(rewritten(sound, tmp_path, {record: lambda old: old[:999]}))


def test_a_storage_with_a_part_of_an_element_is_refused(sound: Path, tmp_path: Path) -> None:
    record = "constants/4" + (".storage" if sound.suffix == ".ptl" else "")
    path = rewritten(sound, tmp_path, {record: lambda old: old + b"!"})
    assert f"'{record}' of {32768 * 4 + 1} bytes holds no whole elements of float32" in refused(path)


def test_an_archive_of_a_later_zip_is_refused(sound: Path, tmp_path: Path) -> None:
    content = bytearray(sound.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 99
    (tmp_path / sound.name).write_bytes(content)
    assert "no whole archive of torch's: zip file version 9.9" in refused(tmp_path / sound.name)


def test_a_record_that_unpacks_to_gigabytes_is_refused(sound: Path, tmp_path: Path) -> None:
    bomb = {pickle_of(sound): lambda _: bytes(65 << 20)}
    assert "would unpack to" in refused(rewritten(sound, tmp_path, bomb, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (b"no JSON", "its signature is no record of names"),
        (b'{"inputs": [3], "outputs": ["logits"]}', "its signature names [3] as inputs"),
        (json.dumps({"inputs": ["a", "b"], "outputs": ["c"]}).encode(), "as inputs, and its code has 1"),
    ],
)
def test_names_that_do_not_go_with_the_code_are_refused(
    sound: Path, tmp_path: Path, signature: bytes, said: str
) -> None:
    assert said in refused(rewritten(sound, tmp_path, {"extra/signature.json": lambda _: signature}))


def test_code_that_nests_without_end_is_refused(make: Callable[..., Lowered], tmp_path: Path) -> None:
    sound = make(PICTURES, "torchscript").artifact
    with zipfile.ZipFile(sound) as archive:
        code = next(name.partition("/")[2] for name in archive.namelist() if name.endswith(".py"))
    path = rewritten(sound, tmp_path, {code: lambda _: b"x = " + b"(" * 100_000})
    assert "is no code of TorchScript's" in refused(path)


def test_a_plain_zip_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    for name in ("empty.pt", "empty.ptl"):
        (tmp_path / name).write_bytes(buffer.getvalue())
        assert "it lacks" in refused(tmp_path / name)
