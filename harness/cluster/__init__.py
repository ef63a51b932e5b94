"""Control planes: where the real Kubernetes API of a lab comes from."""
