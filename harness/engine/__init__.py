"""Running one scenario in one lab, from its first step to the verdict."""
