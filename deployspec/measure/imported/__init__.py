"""Evidence that others hand in: read strictly, held against itself, turned into measurements."""

from deployspec.measure.imported.assemble import Logs, document_of
from deployspec.measure.imported.convert import measurements
from deployspec.measure.imported.document import is_envelope, read_document, read_file
from deployspec.measure.imported.samples import miscounts
from deployspec.measure.imported.tools import from_tool, kind_of_log

__all__ = [
    "Logs",
    "document_of",
    "from_tool",
    "is_envelope",
    "kind_of_log",
    "measurements",
    "miscounts",
    "read_document",
    "read_file",
]
