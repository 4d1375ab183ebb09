"""The model: where leveraged positions would be liquidated. NumPy only; knows no database and no engine."""
