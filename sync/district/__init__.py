"""The district's end: accepts each result once, stores it, and answers with a receipt."""
