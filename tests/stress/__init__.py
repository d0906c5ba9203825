"""Long attacks: ``make stress`` runs them, ``make test`` does not."""
