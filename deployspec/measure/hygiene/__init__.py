"""Is the figure worth anything? What the data splits have in common, and how they differ: steps, and their figures."""
