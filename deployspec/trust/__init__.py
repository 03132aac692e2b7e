"""Statement to envelope and back: keys, signatures, strict reading."""
