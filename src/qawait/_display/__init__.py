"""How things look in a notebook: HTML and its plain-text twin, made of values."""
