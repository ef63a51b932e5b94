"""Drives: scenarios, control planes, controllers, simulated nodes, checks and reports."""
