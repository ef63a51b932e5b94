"""Tests of the fake clouds."""
