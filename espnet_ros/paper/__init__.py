"""The paper's numbers, and what this package and this machine make of them."""
