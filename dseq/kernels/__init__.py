"""Floor 0: arithmetic on plain arrays. Imports NumPy and Numba, nothing of dseq above it."""
