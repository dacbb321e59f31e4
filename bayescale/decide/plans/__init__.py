"""Plans: the best (N, D) at a budget, the cheapest budget for a target, and how far beyond the data they reach."""
