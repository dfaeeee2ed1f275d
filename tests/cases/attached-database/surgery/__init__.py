"""A vet's patients: those of today, and those of all the years."""
