"""The virtual classroom, its children and the books that must balance: only the product's own commands and radio."""
