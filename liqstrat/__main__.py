"""`python -m liqstrat`: the command line."""

from liqstrat.cli import main

main()
