"""`python -m deployspec` is the command line."""

from deployspec.cli import main

if __name__ == "__main__":
    main()
