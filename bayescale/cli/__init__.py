"""The command line: reads options, calls the package, prints a table or JSON, and turns errors into exit codes."""

from bayescale.cli.run import main, run

__all__ = ["main", "run"]
