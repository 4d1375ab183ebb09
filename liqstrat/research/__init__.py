"""From single runs to what many of them say: listing, comparing, and a ledger of all that was tried."""
