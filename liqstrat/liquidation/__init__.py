"""The model: where leveraged positions would be liquidated. NumPy and Numba only; knows no database and no engine."""
