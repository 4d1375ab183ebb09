"""What the simulated exchange does: fees, depth, latency, liquidation."""
