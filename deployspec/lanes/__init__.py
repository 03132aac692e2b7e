"""Lanes move files, run a program and bring files back; they know nothing of models."""
