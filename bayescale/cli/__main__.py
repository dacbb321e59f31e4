"""`python -m bayescale.cli`, the same as the installed `bayescale`."""

from bayescale.cli.run import main

main()
