"""The controllers under test: how each is started, and as whom."""
