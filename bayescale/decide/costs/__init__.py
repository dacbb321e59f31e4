"""What training and serving cost: hardware, prices and energy, each a number or a distribution; and budgets."""
