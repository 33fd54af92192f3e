"""How single values are read, wherever they stand: amounts, flags, placeholders, times."""
