"""Results to receipts. Knows nothing of pens or of what ink means."""
