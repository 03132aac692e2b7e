"""ONNX as a target of deployspec, from a distribution of its own."""
