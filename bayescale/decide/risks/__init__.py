"""Measures of risk and regret: from draws of the loss of each action to one number."""
