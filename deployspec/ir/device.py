"""Who measured: the kind of thing that ran an artifact, and which one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployspec.ir.codec import ByHand
from deployspec.ir.constraint import Text


class MeasuredOn(StrEnum):
    """What ran the artifact. Whether it counts is for a lab's signature to say."""

    DEVICE = "device"
    EMULATOR = "emulator"
    HOST = "host"
    REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class Device(ByHand):
    """The machine that measured. `name` is what a target's `device` says; the other facts are for readers."""

    name: Text
    model: str = ""
    system: str = ""
    processor: str = ""
