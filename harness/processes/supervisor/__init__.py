"""The supervisor program: the one process that starts, and in the end kills, every component of a run.

Standard library only. It runs as a program of its own (`python -I -S <this folder>`), so that it starts fast
and outlives a pytest that is killed; `harness.processes.channel` talks to it. It decides nothing.
"""
