"""The rules by families; registry.py loads them."""
