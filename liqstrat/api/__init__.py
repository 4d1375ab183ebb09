"""What `import liqstrat` offers: runs, their results, and history, for scripts and notebooks."""
