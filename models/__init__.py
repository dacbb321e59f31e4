"""The model zoo: one TOML file a model, and the prior populations they name."""
