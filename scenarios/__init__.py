"""The shipped scenarios; in a wheel this folder is `harness.scenarios`, for `pytest --pyargs harness.scenarios`."""
