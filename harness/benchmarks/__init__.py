"""Performance figures, which live here and never in a timed test."""
