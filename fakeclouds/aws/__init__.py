"""The fake AWS."""
