"""Run the command line as `python -m vector_assets.cli`."""

from . import main

main(prog_name="vector-assets")
