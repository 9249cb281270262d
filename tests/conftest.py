"""Shared test settings: no network, no user's cache."""
