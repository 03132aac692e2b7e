"""FlatBuffers read by the text of their schema, as the format's own library wrote them."""

from __future__ import annotations

import flatbuffers
import pytest

from deployspec.errors import UnreadableModel
from deployspec.formats.flatbuffer import open_root, parse_schema

SCHEMA = parse_schema("""
file_identifier "TEST";
enum Colour : byte { RED = 0, GREEN = 5, BLUE, }  // BLUE is 6
table Circle { radius: float; }
table Square { side: int; }
union Shape { Circle, Box: Square }
table Root {
  // table Ghost { no: int; }
  colour: Colour;
  name: string (required);
  sizes: [uint];
  shape: Shape;
  children: [Square];
  words: [string];
  last: ulong = 0;
}
root_type Root;
""")


def square(builder: flatbuffers.Builder, side: int) -> int:
    builder.StartObject(1)
    builder.PrependInt32Slot(0, side, 0)
    return builder.EndObject()


def vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def written(identifier: bytes = b"TEST", member: int = 2) -> bytes:
    """A root that is blue, called "ab", of sizes 7 and 9, shaped as a box of side 3, with two children."""
    builder = flatbuffers.Builder()
    box, children = square(builder, 3), vector(builder, [square(builder, 4), square(builder, 0)])
    words, name = vector(builder, [builder.CreateString(each) for each in ("x", "yz")]), builder.CreateString("ab")
    builder.StartVector(4, 2, 4)
    builder.PrependUint32(9)
    builder.PrependUint32(7)
    sizes = builder.EndVector()
    builder.StartObject(8)
    builder.PrependInt8Slot(0, 6, 0)
    for slot, offset in ((1, name), (2, sizes), (4, box), (5, children), (6, words)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.PrependUint8Slot(3, member, 0)
    builder.Finish(builder.EndObject(), identifier)
    return bytes(builder.Output())


def test_every_kind_of_field_is_read() -> None:
    root = open_root(memoryview(written()), SCHEMA)
    kind, box = root["shape"]
    assert (root["colour"], root["name"], root["sizes"].tolist(), kind, box["side"]) == ("BLUE", "ab", [7, 9], "Box", 3)
    assert [child["side"] for child in root["children"]] == [4, 0]
    assert root["words"] == ["x", "yz"]


def test_what_is_left_out_is_empty() -> None:
    builder = flatbuffers.Builder()
    builder.StartObject(0)
    builder.Finish(builder.EndObject(), b"TEST")
    root = open_root(memoryview(bytes(builder.Output())), SCHEMA)
    assert (root["colour"], root["name"], root["shape"], root["last"]) == ("RED", "", None, 0)
    assert (root["sizes"].tolist(), root["children"], root["words"]) == ([], [], [])


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(UnreadableModel, match="no Root of the kind TEST"):
        open_root(memoryview(written(b"ELSE")), SCHEMA)


def test_a_member_that_the_schema_does_not_know_is_refused() -> None:
    with pytest.raises(UnreadableModel, match="later version"):
        open_root(memoryview(written(member=3)), SCHEMA)["shape"]


def test_no_damage_leads_out_of_the_file() -> None:
    """Whatever four bytes say, what is read is in the file, or is refused."""
    refused = 0
    for value in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x40\x00\x00\x00"):
        for position in (*range(4), *range(8, len(written()))):
            damaged = bytearray(written())
            damaged[position : position + 4] = value
            try:
                root = open_root(memoryview(bytes(damaged)), SCHEMA)
                _ = [root[name] for name in SCHEMA.tables["Root"]]
            except UnreadableModel:
                refused += 1
    assert refused > 100
