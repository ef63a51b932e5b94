"""Loads the plugin when pytest runs in a checkout; an installed wheel registers it by itself."""

pytest_plugins = ["harness.plugin"]
