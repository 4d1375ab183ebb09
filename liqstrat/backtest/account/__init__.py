"""What a run did to the account: ledger, equity, figures, and the files they are written to."""
