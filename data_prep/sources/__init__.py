"""One module an archive: each reads it into fields, and nothing else."""
