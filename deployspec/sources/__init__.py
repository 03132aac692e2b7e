"""From a spec's model source to a representation that a lowering takes."""
