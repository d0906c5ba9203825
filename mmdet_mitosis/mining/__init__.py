"""From a trained detector to the refiner's training set; ``tools/mine_candidates.py`` runs it."""
