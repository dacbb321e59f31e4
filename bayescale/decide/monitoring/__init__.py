"""What becomes of a plan: the run watched while it trains, and its outcome scored afterwards."""
