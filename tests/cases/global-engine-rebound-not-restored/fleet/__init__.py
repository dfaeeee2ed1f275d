"""Cars, and who drives them."""
