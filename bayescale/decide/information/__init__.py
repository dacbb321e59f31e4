"""The value of information: what knowing a parameter, or running a pilot, is worth before the money is spent."""
