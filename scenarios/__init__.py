"""The shipped scenarios. In a wheel this folder is `harness.scenarios`, so `pytest --pyargs harness.scenarios` finds it."""
