"""Checks that no library has: sizes that the house aims at, links of the documentation, and Kubernetes manifests."""
