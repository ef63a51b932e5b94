"""Where moto differs from AWS in a way that a cloud controller can tell: one behaviour a file.

Each file holds a mixin that stands before moto's response class, a source for what AWS does, a row in
`../ledger.yaml`, and a test in `fakeclouds/tests` that fails on plain moto.
"""
